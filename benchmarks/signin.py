"""
Measure the cost of a sign-in on PostgreSQL, without the hashing of a password.

The kinds of sign-ins are an account's first, one that displaces another session, one at
a limit of five, and one to an account with ten thousand ended sessions. Databases of
all sizes take turns, so that their results can be compared.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks import cost, environments
from benchmarks.contenders import FIVE, MEASURED, OURS, PLAIN, Contender
from benchmarks.figures import (
    difference,
    measured,
    percentile,
    ratio,
    spread,
    table,
    verdict,
)
from benchmarks.registry_rows import ROWS_PER_ACCOUNT, add_ended, fill
from benchmarks.servers import Worker, WorkerError, database, variables, worker

PAGE = cost.PAGE
BLOCKS = ("sign-in", "throughput")
PEERS = tuple(each for each in MEASURED if each not in {PLAIN, OURS, FIVE})
# Plain Django also has these kinds of sign-ins. All other kinds are compared to its
# "displacing" kind.
WITH_A_PAGE = "displacing, and a page"
COMPARED = {"first", "displacing", WITH_A_PAGE}
ENDED = 10_000
# The numbers of UserSession rows in the database.
SIZES = (1_000, 100_000)
FULL_SIZES = (*SIZES, 1_000_000)
# The number of sign-ins of each kind in a round.
EACH = 6
# Targets for a displacing sign-in: the milliseconds that it may take longer than plain
# Django's, how many statements more it may execute, the ratio of its CPU time to plain
# Django's, and the relative difference from one in the smallest database.
MORE_MS, MORE_STATEMENTS, CPU, FLAT = 5, 3, 1.6, 0.2

# For the throughput: the number of sign-ins of a process in a round, and of accounts.
PROCESSES = (1, 2, 4)
SIGN_INS, ACCOUNTS = 40, 20

COLUMNS = ["", "sign-in", "statements", "ms", "p90", "more", "quiet", "times", "CPU"]


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of sign-in, by one contender, in a database of one size."""

    contender: str
    worker: Worker
    size: int
    kind: str
    # The accounts to sign in to, one list for each round.
    pools: list[list[str]]
    statements: dict[str, int] = field(default_factory=dict)
    rounds: list[list[dict[str, float]]] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, int, str]:
        return self.contender, self.size, self.kind

    def count(self) -> None:
        found = self.worker.call(
            "browsing.count_sign_in",
            username=self.pools[-1][0],
            then_a_page=self.kind == WITH_A_PAGE,
        )
        self.statements.update(found)

    def sign_in(self, number: int) -> None:
        taken = self.worker.call(
            "browsing.sign_in",
            usernames=self.pools[number % len(self.pools)],
            then_a_page=self.kind == WITH_A_PAGE,
        )
        self.rounds.append(taken)

    def medians(self, clock: str) -> list[float]:
        """Return the median of each round, in milliseconds."""
        return [
            1000 * spread([each[clock] for each in once]).median for once in self.rounds
        ]

    def walls(self) -> list[float]:
        return [1000 * each["wall"] for once in self.rounds for each in once]


def accounts(made: Worker, count: int, sessions: int) -> list[str]:
    """Create accounts, sign in to each this number of times, and return their names."""
    names: list[str] = made.call("people.create_users", count=count)
    for _ in range(sessions):
        made.call("browsing.sign_in", usernames=names)
    return names


def cases(
    contender: Contender, made: Worker, name: str, size: int, rounds: int
) -> Iterator[Case]:
    def case(kind: str, pools: list[list[str]]) -> Case:
        return Case(contender.name, made, size, kind, pools)

    if contender is FIVE:
        yield case("at the limit of 5", [accounts(made, EACH, FIVE.limit or 0)])
        return
    # There is one list more than rounds, for the sign-in that counts statements.
    fresh = accounts(made, (rounds + 1) * EACH, 0)
    yield case("first", [fresh[n :: rounds + 1] for n in range(rounds + 1)])
    yield case("displacing", [accounts(made, EACH, 1)])
    if size == min(SIZES):
        # Some contenders end the earlier session only when the new one opens a page.
        yield case(WITH_A_PAGE, [accounts(made, EACH, 1)])
    if contender is OURS:
        [username] = accounts(made, 1, 2)
        add_ended(name, username, ENDED)
        yield case(f"{ENDED:,} ended", [EACH * [username]])


def prepare(
    sizes: tuple[int, ...], rounds: int, stack: ExitStack
) -> Iterator[Case | str]:
    """
    Yield every case to measure, and an error for each contender that does not run.
    """
    for size in sizes:
        databases: dict[str, dict[str, str]] = {}
        for contender in (PLAIN, OURS, FIVE, *(PEERS if size == min(sizes) else ())):
            # The two limits of this package share a database.
            owner = OURS.name if contender is FIVE else contender.name
            is_new = owner not in databases
            if is_new:
                made = database("postgresql", f"{owner}_{size}")
                databases[owner] = stack.enter_context(made)
            on = databases[owner]
            try:
                interpreter = environments.python(contender.environment)
                given = variables(contender, on, engine=contender.engines[0])
                started = stack.enter_context(worker(given, interpreter))
                if is_new:
                    started.call("people.migrate")
                    # Create the rows that fill() copies.
                    accounts(started, 1, 2)
                    count = size // ROWS_PER_ACCOUNT
                    fill(on["BENCHMARKS_NAME"], count, ours=contender is OURS)
                yield from cases(
                    contender, started, on["BENCHMARKS_NAME"], size, rounds
                )
            except (WorkerError, subprocess.CalledProcessError) as error:
                yield f"{contender.name} does not run: `{error}`"


def row(
    case: Case, found: dict[tuple[str, int, str], Case], smallest: int
) -> list[str]:
    as_plain = case.kind if case.kind in COMPARED else "displacing"
    plain = found[PLAIN.name, case.size, as_plain]
    wall, plain_wall = case.medians("wall"), plain.medians("wall")
    quiet = percentile(case.walls(), 10) - percentile(plain.walls(), 10)
    cells = [
        case.contender,
        case.kind,
        cost.cells(case.statements),
        f"{spread(case.walls()):.1f}",
        f"{percentile(case.walls(), 90):.1f}",
        f"{difference(wall, plain_wall):.1f}",
        f"{quiet:.1f}",
        f"{ratio(wall, plain_wall)}",
        f"{ratio(case.medians('cpu'), plain.medians('cpu'))}",
    ]
    if case.size > smallest:
        first = found[case.contender, smallest, case.kind]
        cells.append(f"{ratio(wall, first.medians('wall'))}")
    return cells


def missed(
    found: dict[tuple[str, int, str], Case], sizes: tuple[int, ...]
) -> list[str]:
    """Return a sentence for each target that a displacing sign-in missed."""
    misses = []
    smallest = found[OURS.name, min(sizes), "displacing"].medians("wall")
    for size in sizes:
        own = found[OURS.name, size, "displacing"]
        plain = found[PLAIN.name, size, "displacing"]
        wall = own.medians("wall")
        more = difference(wall, plain.medians("wall")).median
        times = ratio(wall, smallest).median
        cpu = ratio(own.medians("cpu"), plain.medians("cpu")).median
        statements = sum(own.statements.values()) - sum(plain.statements.values())
        if more > MORE_MS:
            misses.append(f"{size:,} rows: {more:.1f} of {MORE_MS} ms more")
        if statements > MORE_STATEMENTS:
            misses.append(f"{size:,} rows: {statements} statements more")
        if cpu > CPU:
            misses.append(f"{size:,} rows: {cpu:.2f} of {CPU} times the CPU")
        if abs(times - 1) > FLAT:
            misses.append(f"{size:,} rows: {times:.2f} times {min(sizes):,} rows")
    return misses


def latency(sizes: tuple[int, ...], rounds: int) -> str:
    """Return the tables of the time that one sign-in takes."""
    with ExitStack() as stack:
        prepared = list(prepare(sizes, rounds, stack))
        every = [each for each in prepared if isinstance(each, Case)]
        for case in every:
            case.count()
        for number in range(rounds):
            for case in random.sample(every, len(every)):
                case.sign_in(number)
    found = {case.key: case for case in every}
    parts = [verdict(missed(found, sizes))]
    for size in sizes:
        more = [] if size == min(sizes) else [f"to {min(sizes):,} rows"]
        rows = [row(case, found, min(sizes)) for case in every if case.size == size]
        parts += [
            f"### {size:,} rows in the registry",
            table([*COLUMNS, *more], rows),
        ]
    return "\n\n".join(parts + [each for each in prepared if isinstance(each, str)])


def throughput(rounds: int) -> str:
    """Return the table of displacing sign-ins per second in several processes."""
    taken = defaultdict(list)
    with ExitStack() as stack:
        groups = []
        for contender in (PLAIN, OURS):
            on = stack.enter_context(database("postgresql", f"{contender.name}_many"))
            given = variables(contender, on)
            interpreter = environments.python(contender.environment)
            workers = [
                stack.enter_context(worker(given, interpreter))
                for _ in range(max(PROCESSES))
            ]
            workers[0].call("people.migrate")
            pools = [accounts(workers[0], ACCOUNTS, 0) for _ in workers]
            groups.append((contender.name, workers, pools))
        for _ in range(rounds + 1):
            for name, workers, pools in random.sample(groups, len(groups)):
                for count in PROCESSES:
                    many = [SIGN_INS // ACCOUNTS * pool for pool in pools[:count]]
                    one = count * [SIGN_INS * pools[0][:1]]
                    for over, names in (("many", many), ("one", one)):
                        begun = time.perf_counter()
                        for each, own in zip(workers, names, strict=False):
                            each.begin("browsing.contend", usernames=own)
                        for each in workers[:count]:
                            each.end()
                        each_second = count * SIGN_INS / (time.perf_counter() - begun)
                        taken[over, count, name].append(each_second)
    rows = []
    for (over, count, name), found in sorted(taken.items()):
        # Leave out the first round, which warms up the processes.
        own, plain = found[1:], taken[over, count, PLAIN.name][1:]
        rows.append(
            [name, count, over, f"{spread(own).median:.0f}", f"{ratio(own, plain)}"]
        )
    return table(["", "processes", "accounts", "a second", "times plain"], rows)


def measure(*, full: bool) -> Iterator[str]:
    """Yield the tables for the documentation."""
    sizes, rounds = (FULL_SIZES, 40) if full else (SIZES, 10)
    sentence = measured()
    intro = f"{sentence} {rounds} rounds of {EACH} sign-ins of each kind."
    yield f"{intro}\n\n{latency(sizes, rounds)}"
    yield throughput(7 if full else 2)
