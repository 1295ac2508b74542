"""
What a page costs: statements, operations on the cache, CPU and wall time, as ratios to
the same page of the same project without any package.

Each contender's process is asked for a small batch of requests in turn, in another
order every round: a ratio is taken within a round, and so a machine that slows down
does so for all.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from benchmarks import contenders, machine, startup
from benchmarks.contenders import CONTROL, FLOOR, OURS, PLAIN, Contender
from benchmarks.databases import Database, database
from benchmarks.figures import ratio, spread
from benchmarks.workers import Worker, WorkerError, environment, started

PAGES = ("member", "visitor", "public")
PACKAGES = tuple(each for each in contenders.ALL.values() if each is not PLAIN)
EVERYBODY = (PLAIN, CONTROL, FLOOR, *PACKAGES)
US = (PLAIN, CONTROL, FLOOR, OURS)
MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Combination:
    database: str
    engine: str
    server: str
    measured: tuple[Contender, ...] = EVERYBODY


# Every package where it matters most; this one alone elsewhere.
QUICK = (
    Combination("postgresql", "db", "wsgi"),
    Combination("sqlite", "db", "wsgi", US),
    Combination("postgresql", "cached_db", "wsgi", US),
    Combination("postgresql", "cache", "wsgi", US),
    Combination("postgresql", "db", "asgi", US),
)
FULL = (
    Combination("postgresql", "db", "wsgi"),
    Combination("sqlite", "db", "wsgi", US),
    Combination("postgresql", "cached_db", "wsgi"),
    Combination("postgresql", "db", "asgi", US),
    Combination("postgresql", "cache", "wsgi"),
    Combination("postgresql", "cached_db", "asgi", US),
    Combination("postgresql", "cache", "asgi", US),
    Combination("sqlite", "cached_db", "wsgi", US),
    Combination("sqlite", "cache", "wsgi", US),
    Combination("sqlite", "db", "asgi", US),
)


@dataclass(frozen=True, slots=True)
class Effort:
    rounds: int
    # How many seconds of CPU each contender's batch should take.
    batch: float
    # How often each is started, and who is.
    starts: int
    started: tuple[Contender, ...]


QUICKLY = Effort(25, 0.015, 8, US)
THOROUGHLY = Effort(41, 0.015, 12, EVERYBODY)


class Databases:
    """One for each contender on each kind of database, with its tables."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._made: dict[tuple[str, str], Database] = {}

    def get(self, kind: str, contender: Contender) -> Database:
        key = kind, contender.name
        if key not in self._made:
            made = self._stack.enter_context(database(kind, contender.name))
            self._made[key] = made
            engine = contender.engines[0]
            with started(contender, environment(contender, made, engine)) as worker:
                worker.ask("migrate")
        return self._made[key]


def _prepared(
    combination: Combination, databases: Databases, stack: ExitStack
) -> Iterator[Worker | dict[str, Any]]:
    """Yield each contender's process, ready, or why there is none."""
    for contender in combination.measured:
        if combination.engine not in contender.engines:
            continue
        try:
            on = databases.get(combination.database, contender)
            variables = environment(
                contender, on, combination.engine, combination.server
            )
            worker = stack.enter_context(started(contender, variables))
            [user] = worker.ask("create_users", count=1)
            worker.ask("become", id=user)
        except (OSError, WorkerError) as error:
            yield {"contender": contender.name, "error": str(error)}
        else:
            yield worker


def _batch(worker: Worker, page: str, effort: Effort) -> int:
    """Return how many requests take as long as a batch should."""
    once = worker.ask("run", page=page, requests=10)["cpu"]
    return max(4, round(effort.batch / once))


def _rounds(
    workers: list[Worker], page: str, effort: Effort
) -> dict[str, list[dict[str, float]]]:
    """Return what each contender took in each round."""
    batches = [(worker, _batch(worker, page, effort)) for worker in workers]
    taken: dict[str, list[dict[str, float]]] = {w.contender.name: [] for w in workers}
    for _ in range(effort.rounds):
        for worker, requests in random.sample(batches, len(batches)):
            once = worker.ask("run", page=page, requests=requests)
            taken[worker.contender.name].append(once)
    return taken


def _figures(
    workers: list[Worker], page: str, effort: Effort
) -> Iterator[dict[str, Any]]:
    taken = _rounds(workers, page, effort)
    for worker in workers:
        figure: dict[str, Any] = {
            "contender": worker.contender.name,
            "page": page,
            "statements": worker.ask("count", page=page),
        }
        for clock in ("cpu", "wall"):
            own = [once[clock] for once in taken[worker.contender.name]]
            plain = [once[clock] for once in taken[PLAIN.name]]
            figure[f"{clock}_ratio"] = ratio(own, plain)
            figure[f"{clock}_us"] = spread([MICROSECONDS * each for each in own])
        yield figure


def measure(
    combination: Combination, databases: Databases, effort: Effort
) -> Iterator[dict[str, Any]]:
    """Yield a figure for each contender and page."""
    where = {
        "database": combination.database,
        "engine": combination.engine,
        "server": combination.server,
    }
    with ExitStack() as stack:
        workers = []
        for prepared in _prepared(combination, databases, stack):
            if isinstance(prepared, Worker):
                workers.append(prepared)
            else:
                yield {**where, **prepared}
        for page in PAGES:
            for figure in _figures(workers, page, effort):
                yield {**where, **figure}


def _line(figure: dict[str, Any]) -> str:
    where = "{database} {engine} {server}".format(**figure)
    if "error" in figure:
        return f"{where} {figure['contender']}: {figure['error']}"
    cpu, wall = figure["cpu_ratio"], figure["wall_ratio"]
    return (
        f"{where:26} {figure['page']:8} {figure['contender']:26}"
        f" cpu {cpu.median:.3f} ({cpu.low:.3f}-{cpu.high:.3f}) wall {wall.median:.3f}"
        f" {figure['cpu_us'].median:6.0f} us {figure['statements']}"
    )


def run(*, full: bool, command: str) -> Iterator[dict[str, Any]]:
    """Yield what is known so far, after each combination and at the end."""
    effort = THOROUGHLY if full else QUICKLY
    result: dict[str, Any] = {
        "machine": machine.describe(command),
        "rounds": effort.rounds,
        "figures": [],
        "starts": [],
    }
    with ExitStack() as stack:
        databases = Databases(stack)
        for combination in FULL if full else QUICK:
            for figure in measure(combination, databases, effort):
                print(_line(figure), flush=True)
                result["figures"].append(figure)
            yield result
        result["starts"] += startup.measure(
            effort.started, databases.get, effort.starts
        )
    yield result
