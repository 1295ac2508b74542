"""Sign-ins a second: of many accounts over several processes, and of one account."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from benchmarks.contenders import OURS, PLAIN
from benchmarks.databases import database
from benchmarks.figures import ratio, spread
from benchmarks.workers import Worker, environment, started

PROCESSES = (1, 2, 4)
# How many sign-ins each process does in a round, and over how many accounts.
SIGN_INS = 40
ACCOUNTS = 20


def _per_second(workers: Sequence[Worker], ids: Sequence[list[int]]) -> float:
    begun = time.perf_counter()
    for worker, own in zip(workers, ids, strict=True):
        worker.begin("contend", ids=own)
    for worker in workers:
        worker.end()
    return len(workers) * SIGN_INS / (time.perf_counter() - begun)


def measure(rounds: int) -> Iterator[dict[str, Any]]:
    """Yield a figure for each contender and number of processes."""
    taken = defaultdict(list)
    with ExitStack() as stack:
        groups = []
        for contender in (PLAIN, OURS):
            on = stack.enter_context(database("postgresql", f"{contender.name}-many"))
            variables = environment(contender, on, "db")
            workers = [
                stack.enter_context(started(contender, variables))
                for _ in range(max(PROCESSES))
            ]
            workers[0].ask("migrate")
            pools = [workers[0].ask("create_users", count=ACCOUNTS) for _ in workers]
            groups.append((contender, workers, pools))
        for _ in range(rounds + 1):
            for contender, workers, pools in random.sample(groups, len(groups)):
                for count in PROCESSES:
                    many = [SIGN_INS // ACCOUNTS * pool for pool in pools[:count]]
                    hot = count * [SIGN_INS * pools[0][:1]]
                    for accounts, ids in (("many", many), ("one", hot)):
                        once = _per_second(workers[:count], ids)
                        taken[contender.name, count, accounts].append(once)
    for (name, count, accounts), each in taken.items():
        # The first round warmed up.
        figure = {
            "contender": name,
            "processes": count,
            "accounts": accounts,
            "per_second": spread(each[1:]),
            "to_plain": ratio(each[1:], taken[PLAIN.name, count, accounts][1:]),
        }
        print(
            f"{name:16} {count} processes, {accounts:4} account(s):"
            f" {figure['per_second'].median:6.0f}/s x {figure['to_plain'].median:.2f}"
        )
        yield figure
