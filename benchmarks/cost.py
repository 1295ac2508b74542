"""
Measure the cost of a page: statements, cache operations, CPU and wall time.

Times are ratios to the same page of the same project without any package. The
contenders' processes take turns at small batches of requests, in a new order each
round, and each ratio compares batches of the same round. In this way, a slow moment of
the machine affects all of them.
"""

from __future__ import annotations

import random
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from benchmarks import environments
from benchmarks.contenders import (
    CLASSES,
    CONTROL,
    EMPTY,
    MEASURED,
    OURS,
    PLAIN,
    Contender,
)
from benchmarks.figures import Spread, measured, ratio, spread, table, verdict
from benchmarks.servers import Worker, WorkerError, database, variables, worker

PAGE = environments.ROOT / "docs" / "explanation" / "benchmarks.md"
BLOCKS = ("cost",)

PAGES = ("member", "visitor", "public")
EVERYBODY = (PLAIN, CONTROL, EMPTY, CLASSES, *MEASURED[1:])
US = (PLAIN, CONTROL, EMPTY, CLASSES, OURS)
# The targets for a signed-in user's page on each database, session engine and server:
# the ratio of its CPU time to plain Django's. These combinations are measured.
MEMBER = {
    ("postgresql", "db", "wsgi"): 0.42,
    ("sqlite", "db", "wsgi"): 0.38,
    ("postgresql", "cached_db", "wsgi"): 0.80,
    ("postgresql", "cache", "wsgi"): 0.80,
    ("postgresql", "file", "wsgi"): 0.72,
    ("postgresql", "signed_cookies", "wsgi"): 0.72,
    ("postgresql", "db", "asgi"): 0.75,
    ("sqlite", "db", "asgi"): 0.75,
    ("postgresql", "cached_db", "asgi"): 0.92,
    ("postgresql", "cache", "asgi"): 0.92,
    ("postgresql", "file", "asgi"): 0.90,
    ("postgresql", "signed_cookies", "asgi"): 0.90,
}
# The targets for the numbers of statements, compared with plain Django's. The session
# engine "db" reads the session and the user in one statement.
MORE_STATEMENTS = {"member": 0, "visitor": 0, "public": 0}
MORE_ON_DB = {**MORE_STATEMENTS, "member": -1}
# The length of a batch of requests, in seconds of CPU time.
BATCH = 0.015
COLUMNS = [
    "",
    "member: statements",
    "member: CPU",
    "member: wall",
    "visitor: CPU",
    "public: CPU, statements",
]


@dataclass(frozen=True, slots=True)
class Contestant:
    """
    A contender's running process, with a signed-in browser and the measured times.
    """

    name: str
    worker: Worker
    cookie: str
    taken: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    statements: dict[str, dict[str, int]] = field(default_factory=dict)

    def run(self, page: str, times: int) -> dict[str, float]:
        """
        Request a page repeatedly, and return the CPU and wall seconds per request.
        """
        once: dict[str, float] = self.worker.call(
            "browsing.run", page=page, times=times, cookie=self._cookie(page)
        )
        return once

    def count(self, page: str) -> None:
        cookie = self._cookie(page)
        found = self.worker.call("browsing.count", page=page, cookie=cookie)
        self.statements[page] = found

    def _cookie(self, page: str) -> str | None:
        return self.cookie if page != "visitor" else None

    def seconds(self, page: str, clock: str) -> list[float]:
        return [once[clock] for once in self.taken[page]]


def cells(counts: dict[str, int]) -> str:
    """Return a table cell with the numbers of statements and cache operations."""
    parts = [
        f"{counts[kind]} {kind if counts[kind] > 1 else kind.removesuffix('s')}"
        for kind in ("reads", "writes", "others")
        if counts.get(kind)
    ]
    if counts.get("cache"):
        parts.append(f"{counts['cache']} cache")
    return ", ".join(parts) or "none"


def prepare(
    contender: Contender, kind: str, engine: str, server: str, stack: ExitStack
) -> Contestant:
    on = stack.enter_context(database(kind, contender.name))
    interpreter = environments.python(contender.environment)
    files = stack.enter_context(tempfile.TemporaryDirectory())
    given = variables(contender, on, engine=engine, server=server, files=files)
    made = stack.enter_context(worker(given, interpreter))
    made.call("people.migrate")
    [username] = made.call("people.create_users", count=1)
    cookie = made.call("browsing.prepare", username=username)
    return Contestant(contender.name, made, cookie)


def compare(contestants: list[Contestant], rounds: int) -> None:
    """Measure every page of every contestant, in turns."""
    for page in PAGES:
        batches = []
        for each in contestants:
            each.count(page)
            times = max(4, round(BATCH / each.run(page, 10)["cpu"]))
            each.taken[page] = []
            batches.append((each, times))
        for _ in range(rounds):
            for each, times in random.sample(batches, len(batches)):
                each.taken[page].append(each.run(page, times))


def row(each: Contestant, plain: Contestant) -> list[str]:
    def to_plain(page: str, clock: str) -> Spread:
        return ratio(each.seconds(page, clock), plain.seconds(page, clock))

    return [
        each.name,
        cells(each.statements["member"]),
        f"{to_plain('member', 'cpu')}",
        f"{to_plain('member', 'wall')}",
        f"{to_plain('visitor', 'cpu')}",
        f"{to_plain('public', 'cpu')}, {cells(each.statements['public'])}",
    ]


def missed(
    ours: Contestant, plain: Contestant, kind: str, engine: str, server: str
) -> list[str]:
    """Return a sentence for each target that this package missed."""
    where = f"{kind}, `{engine}`, {server.upper()}"
    found, most = [], MEMBER[kind, engine, server]
    cpu = ratio(ours.seconds("member", "cpu"), plain.seconds("member", "cpu")).median
    if cpu > most:
        found.append(f"member page, {where}: {cpu:.2f} of {most:.2f} × plain's CPU")
    for page, more in (MORE_ON_DB if engine == "db" else MORE_STATEMENTS).items():
        own, others = (sum(each.statements[page].values()) for each in (ours, plain))
        if own - others > more:
            found.append(f"{page} page, {where}: {own} of {others + more} statements")
    return found


def compared(
    kind: str, engine: str, server: str, *, full: bool
) -> tuple[Contender, ...]:
    """Return the contenders to measure: all of them only where it matters most."""
    matters = (kind, server) == ("postgresql", "wsgi") and (full or engine == "db")
    return EVERYBODY if matters else US


def measure(*, full: bool) -> Iterator[str]:
    """Yield the tables for the documentation, and which targets were missed."""
    sentence = measured()
    rounds, sections, misses = (41 if full else 9), [], []
    for kind, engine, server in MEMBER:
        where = f"{kind}, `{engine}`, {server.upper()}"
        with ExitStack() as stack:
            contestants, failed = [], []
            for contender in compared(kind, engine, server, full=full):
                if engine not in contender.engines:
                    continue
                try:
                    made = prepare(contender, kind, engine, server, stack)
                    contestants.append(made)
                except (OSError, WorkerError, subprocess.CalledProcessError) as error:
                    failed.append([contender.name, f"`{error}`", *[""] * 4])
            compare(contestants, rounds)
        plain = contestants[0]
        rows = [row(each, plain) for each in contestants] + failed
        own: dict[str, Any] = {
            clock: 1_000_000 * spread(plain.seconds("member", clock)).median
            for clock in ("cpu", "wall")
        }
        shown = "Plain itself: {cpu:.0f} µs of CPU, {wall:.0f} µs of wall time."
        sections += [f"### {where}", table(COLUMNS, rows), shown.format(**own)]
        print(f"Measured {where}.", flush=True)
        for each in contestants:
            if each.name == OURS.name:
                misses += missed(each, plain, kind, engine, server)
    intro = f"{sentence} Medians and quartiles of {rounds} rounds."
    yield "\n\n".join([intro, verdict(misses), *sections])
