"""
What a sign-in costs, on PostgreSQL, without the hashing of a password: in an account's
first session, displacing another, at a limit of five, with ten thousand ended sessions
of the same account; in registries of all sizes at once, each asked in turn, so that
they can be compared with one another.
"""

from __future__ import annotations

import functools
import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from benchmarks import contenders, machine, registry_rows, throughput
from benchmarks.contenders import OURS, PLAIN
from benchmarks.databases import Database, database
from benchmarks.figures import percentile, ratio, spread
from benchmarks.workers import Worker, WorkerError, environment, started

FIVE = contenders.get("session-limit-5")
PEERS = tuple(
    each for each in contenders.ALL.values() if each not in {PLAIN, OURS, FIVE}
)
# Of which plain has the same; all others are compared to its displacing.
WITH_A_PAGE = "displacing, and a page"
COMPARED = {"first", "displacing", WITH_A_PAGE}
ENDED_ROWS = 10_000
MILLISECONDS = 1_000


# A contender's name, the rows of its registry, and the kind of sign-in.
Key = tuple[str, int, str]


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
    def key(self) -> Key:
        return self.worker.contender.name, self.size, self.kind

    def sign_in(self, number: int) -> list[dict[str, float]]:
        """Return what each sign-in of this round took."""
        ids = self.pools[number % len(self.pools)]
        taken: list[dict[str, float]] = self.worker.ask(
            "sign_in", ids=ids, then_a_page=self.then_a_page
        )
        return taken


@dataclass(frozen=True, slots=True)
class Prepared:
    """A contender's process, and the registry that it works on."""

    worker: Worker
    on: Database
    size: int
    is_new: bool
    is_smallest: bool

    def fill(self) -> None:
        self.worker.ask("migrate")
        # What is copied: two sign-ins, of which the second displaces.
        [id] = self.worker.ask("create_users", count=1)
        self.worker.ask("sign_in", ids=[id, id])
        accounts = self.size // registry_rows.ROWS_PER_ACCOUNT
        is_ours = self.worker.contender.environment == OURS.environment
        registry_rows.fill(self.on, accounts, ours=is_ours)

    def accounts(self, count: int, sessions: int) -> list[int]:
        """Return new accounts that have been signed in to so often."""
        ids: list[int] = self.worker.ask("create_users", count=count)
        for _ in range(sessions):
            self.worker.ask("sign_in", ids=ids)
        return ids

    def cases(self, effort: Effort) -> Iterator[Case]:
        """Yield what this contender is asked to do, with the accounts for it."""
        contender = self.worker.contender
        case = functools.partial(Case, self.worker, self.size)
        if self.is_new:
            self.fill()
        if contender is FIVE:
            ids = self.accounts(effort.each, contender.limit)
            yield case("at the limit of 5", [ids])
            return
        # One pool more than there are rounds: its accounts are there to be counted.
        pools = effort.rounds + 1
        fresh = self.accounts(pools * effort.each, 0)
        yield case("first", [fresh[n::pools] for n in range(pools)])
        yield case("displacing", [self.accounts(effort.each, 1)])
        if self.is_smallest:
            # Some displace only when the newcomer opens a page.
            ids = self.accounts(effort.each, 1)
            yield case(WITH_A_PAGE, [ids], then_a_page=True)
        if contender is OURS:
            [id] = self.accounts(1, 2)
            registry_rows.add_ended(self.on, id, ENDED_ROWS)
            yield case(f"{ENDED_ROWS:,} ended", [effort.each * [id]])


def _prepared(effort: Effort, stack: ExitStack) -> Iterator[Prepared]:
    smallest = min(effort.sizes)
    for size in effort.sizes:
        made: dict[str, Database] = {}
        everybody = (PLAIN, OURS, FIVE, *(PEERS if size == smallest else ()))
        for contender in everybody:
            # The two limits of ours share a registry.
            owner = contender.environment if contender is FIVE else contender.name
            is_new = owner not in made
            if is_new:
                on = database("postgresql", f"{owner}-{size}")
                made[owner] = stack.enter_context(on)
            variables = environment(contender, made[owner], contender.engines[0])
            worker = stack.enter_context(started(contender, variables))
            yield Prepared(worker, made[owner], size, is_new, size == smallest)


class Times:
    """What was taken, in milliseconds: by case, and within it by round."""

    def __init__(self) -> None:
        self._taken: dict[Key, list[list[dict[str, float]]]] = defaultdict(list)

    def add(self, key: Key, once: list[dict[str, float]]) -> None:
        self._taken[key].append(once)

    def medians(self, key: Key, clock: str) -> list[float]:
        """Return the median of each round."""
        rounds = self._taken[key]
        return [spread([each[clock] for each in once]).median for once in rounds]

    def walls(self, key: Key) -> list[float]:
        rounds = self._taken[key]
        return [MILLISECONDS * each["wall"] for once in rounds for each in once]


def _figure(case: Case, times: Times, smallest: int) -> dict[str, Any]:
    name, size, kind = case.key
    as_plain = kind if kind in COMPARED else "displacing"
    plain: Key = (PLAIN.name, size, as_plain)
    wall, plain_wall = times.medians(case.key, "wall"), times.medians(plain, "wall")
    more = [MILLISECONDS * (a - b) for a, b in zip(wall, plain_wall, strict=True)]
    cpu, every = times.medians(case.key, "cpu"), times.walls(case.key)
    quiet = percentile(every, 10) - percentile(times.walls(plain), 10)
    return {
        "contender": name,
        "rows": size,
        "kind": kind,
        "statements": case.statements,
        "ms": spread(every),
        "p90_ms": percentile(every, 90),
        "more_ms": spread(more),
        # Of the fastest tenth, which nothing else on the machine has slowed down.
        "quiet_more_ms": quiet,
        "to_plain": ratio(wall, plain_wall),
        "cpu_to_plain": ratio(cpu, times.medians(plain, "cpu")),
        # How much longer than in the smallest registry.
        "to_smallest": ratio(wall, times.medians((name, smallest, kind), "wall")),
    }


def _line(figure: dict[str, Any]) -> str:
    if "error" in figure:
        return "{contender}: {error}".format(**figure)
    return (
        "{contender:26} {rows:>9} {kind:22}".format(**figure)
        + f" {figure['ms'].median:6.2f} ms, p90 {figure['p90_ms']:6.2f},"
        f" +{figure['more_ms'].median:.2f} (quiet +{figure['quiet_more_ms']:.2f}),"
        f" x {figure['to_plain'].median:.2f}, CPU {figure['cpu_to_plain'].median:.2f},"
        f" to the smallest {figure['to_smallest'].median:.2f} {figure['statements']}"
    )


def measure(effort: Effort) -> Iterator[dict[str, Any]]:
    """Yield a figure for each case, and what failed for those that do not run."""
    with ExitStack() as stack:
        cases: list[Case] = []
        for prepared in _prepared(effort, stack):
            name = prepared.worker.contender.name
            try:
                cases += prepared.cases(effort)
            except WorkerError as error:
                yield {"contender": name, "rows": prepared.size, "error": str(error)}
        for case in cases:
            counted = case.worker.ask(
                "count_sign_in", id=case.pools[-1][0], then_a_page=case.then_a_page
            )
            case.statements.update(counted)
        times = Times()
        for number in range(effort.rounds):
            for case in random.sample(cases, len(cases)):
                times.add(case.key, case.sign_in(number))
        for case in cases:
            yield _figure(case, times, min(effort.sizes))


def run(*, full: bool, huge: bool, command: str) -> Iterator[dict[str, Any]]:
    """Yield what is known so far, after each of the two parts."""
    effort = THOROUGHLY if full else QUICKLY
    if huge:
        effort = Effort((*effort.sizes, HUGE), effort.rounds, effort.each)
    result: dict[str, Any] = {
        "machine": machine.describe(command),
        "effort": effort,
        "figures": [],
        "throughput": [],
    }
    for figure in measure(effort):
        print(_line(figure), flush=True)
        result["figures"].append(figure)
    yield result
    result["throughput"] += throughput.measure(rounds=7 if full else 2)
    yield result
