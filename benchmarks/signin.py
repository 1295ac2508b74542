"""
What a sign-in costs, on PostgreSQL, without the hashing of a password: in an account's
first session, displacing another, at a limit of five, with ten thousand ended sessions
of the same account; in registries of all sizes at once, each asked in turn, so that
they can be compared with one another.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from benchmarks import contenders, machine, registry_rows, throughput
from benchmarks.contenders import OURS, PLAIN
from benchmarks.databases import Database, database
from benchmarks.figures import difference, percentile, ratio, spread
from benchmarks.workers import Worker, WorkerError, environment, started

FIVE = contenders.get("session-limit-5")
PEERS = tuple(
    each for each in contenders.ALL.values() if each not in {PLAIN, OURS, FIVE}
)
ENDED_ROWS = 10_000
MILLISECONDS = 1_000


@dataclass(frozen=True, slots=True)
class Effort:
    sizes: tuple[int, ...]
    rounds: int
    # How many sign-ins of each kind there are in a round.
    each: int


QUICKLY = Effort((1_000, 100_000), 12, 4)
THOROUGHLY = Effort((1_000, 100_000, 1_000_000), 40, 6)
HUGE = 10_000_000


@dataclass(frozen=True, slots=True)
class Case:
    """
    One kind of sign-in, of one contender, in a registry of one size. ``pools`` are the
    accounts to sign in to, those of one round after the other.
    """

    worker: Worker
    size: int
    kind: str
    pools: list[list[int]]
    then_a_page: bool = False
    statements: dict[str, int] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, int, str]:
        return self.worker.contender.name, self.size, self.kind

    def sign_in(self, number: int) -> list[float]:
        """Return the milliseconds of each sign-in of this round."""
        ids = self.pools[number % len(self.pools)]
        taken = self.worker.ask("sign_in", ids=ids, then_a_page=self.then_a_page)
        return [MILLISECONDS * each for each in taken]


def _cases(
    worker: Worker, on: Database, size: int, effort: Effort, smallest: bool
) -> Iterator[Case]:
    """Yield the cases of a contender, whose accounts are prepared for them."""
    contender = worker.contender

    def accounts(count: int, sessions: int) -> list[int]:
        ids: list[int] = worker.ask("create_users", count=count)
        for _ in range(sessions):
            worker.ask("sign_in", ids=ids)
        return ids

    if contender is FIVE:
        ids = accounts(effort.each, contender.limit)
        yield Case(worker, size, "at the limit of 5", [ids])
        return
    fresh = accounts((effort.rounds + 1) * effort.each, 0)
    pools = [fresh[n :: effort.rounds + 1] for n in range(effort.rounds + 1)]
    yield Case(worker, size, "first", pools)
    ids = accounts(effort.each, 1)
    yield Case(worker, size, "displacing", [ids])
    if smallest:
        # Some displace only when the newcomer opens a page.
        ids = accounts(effort.each, 1)
        yield Case(worker, size, "displacing, and a page", [ids], then_a_page=True)
    if contender is OURS:
        [id] = accounts(1, 2)
        registry_rows.add_ended(on, id, ENDED_ROWS)
        yield Case(worker, size, f"{ENDED_ROWS:,} ended", [effort.each * [id]])


def _prepared(
    effort: Effort, stack: ExitStack
) -> Iterator[tuple[Worker, Database, int]]:
    """Yield the contenders' processes, each with a registry of a size."""
    smallest = min(effort.sizes)
    for size in effort.sizes:
        made: dict[str, Database] = {}
        everybody = (PLAIN, OURS, FIVE, *(PEERS if size == smallest else ()))
        for contender in everybody:
            # The two limits of ours share a registry.
            owner = contender.environment if contender is FIVE else contender.name
            is_new = owner not in made
            if is_new:
                made[owner] = stack.enter_context(
                    database("postgresql", f"{owner}-{size}")
                )
            on = made[owner]
            variables = environment(contender, on, contender.engines[0])
            worker = stack.enter_context(started(contender, variables))
            try:
                if is_new:
                    worker.ask("migrate")
                    [id] = worker.ask("create_users", count=1)
                    worker.ask("sign_in", ids=[id, id])
                    registry_rows.fill(
                        on,
                        size // registry_rows.ROWS_PER_ACCOUNT,
                        ours=owner == OURS.name,
                    )
            except WorkerError as error:
                print(f"{contender.name}: {error}")
            else:
                yield worker, on, size


def _figures(
    cases: Sequence[Case], taken: dict[tuple[str, int, str], list[list[float]]]
) -> Iterator[dict[str, Any]]:
    smallest = min(case.size for case in cases)
    medians = {
        key: [spread(once).median for once in rounds] for key, rounds in taken.items()
    }
    for case in cases:
        name, size, kind = case.key
        with_page = "displacing, and a page"
        plains = kind if kind in {"first", "displacing", with_page} else "displacing"
        plain = medians[PLAIN.name, size, plains]
        every = [wall for once in taken[case.key] for wall in once]
        yield {
            "contender": name,
            "rows": size,
            "kind": kind,
            "statements": case.statements,
            "ms": spread(every),
            "p90_ms": percentile(every, 90),
            "more_ms": difference(medians[case.key], plain),
            "to_plain": ratio(medians[case.key], plain),
            # How much longer than in the smallest registry.
            "to_smallest": ratio(medians[case.key], medians[name, smallest, kind]),
        }


def _line(figure: dict[str, Any]) -> str:
    return (
        "{contender:26} {rows:>9} {kind:22}".format(**figure)
        + f" {figure['ms'].median:6.2f} ms, p90 {figure['p90_ms']:6.2f},"
        f" +{figure['more_ms'].median:.2f}, x {figure['to_plain'].median:.2f},"
        f" to the smallest {figure['to_smallest'].median:.2f} {figure['statements']}"
    )


def measure(effort: Effort) -> list[dict[str, Any]]:
    with ExitStack() as stack:
        smallest = min(effort.sizes)
        cases = [
            case
            for worker, on, size in _prepared(effort, stack)
            for case in _cases(worker, on, size, effort, size == smallest)
        ]
        for case in cases:
            # The last pool has accounts that no round takes first.
            id = case.pools[-1][0]
            case.statements.update(case.worker.ask("count_sign_in", id=id))
        taken = defaultdict(list)
        for number in range(effort.rounds):
            for case in random.sample(cases, len(cases)):
                taken[case.key].append(case.sign_in(number))
        return list(_figures(cases, taken))


def run(*, full: bool, huge: bool, command: str) -> dict[str, Any]:
    effort = THOROUGHLY if full else QUICKLY
    if huge:
        effort = Effort((*effort.sizes, HUGE), effort.rounds, effort.each)
    described = machine.describe(command)
    figures = measure(effort)
    for figure in figures:
        print(_line(figure), flush=True)
    return {
        "machine": described,
        "effort": effort,
        "figures": figures,
        "throughput": list(throughput.measure(rounds=7 if full else 2)),
    }
