"""
Does what has ended stay ended? Exit 1 if this package was found wanting.

What is measured replaces its rows in benchmarks/results/truth.json with --full, and in
.cache/benchmarks/truth.json without.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import contenders, environments, machine, results
from benchmarks.truth import engines
from benchmarks.truth.deployment import NotServedError, Subject
from benchmarks.truth.results import Failed, Row, Truth
from benchmarks.truth.runner import (
    EXPERIMENTS,
    FULL,
    FULL_FOR_OTHERS,
    QUICK,
    Found,
    Plan,
)
from tests.cap.databases import KINDS, database

OURS = contenders.OURS.name
# What is shown of what was violated, and of the servers' logs.
EXAMPLES = 3
LOG = 3000


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks truth", description=__doc__
    )
    # One of five places has nothing to come back to.
    names = [name for name, each in contenders.ALL.items() if each.limit == 1]
    parser.add_argument("--contender", choices=names, action="append")
    parser.add_argument("--engine", choices=engines.ENGINES, action="append")
    parser.add_argument("--database", choices=KINDS, action="append")
    parser.add_argument("--experiment", choices=EXPERIMENTS, action="append")
    parser.add_argument("--full", action="store_true", help="as published")
    parser.add_argument("--trials", type=int, help="of each engine, under load")
    options = parser.parse_args(arguments)
    options.contender = options.contender or names
    options.engine = options.engine or list(engines.ENGINES)
    options.database = options.database or ["postgresql"]
    options.experiment = options.experiment or list(EXPERIMENTS)
    return options


def plan(options: argparse.Namespace, contender: str) -> Plan:
    full = FULL if contender == OURS else FULL_FOR_OTHERS
    chosen = full if options.full else QUICK
    return dataclasses.replace(chosen, trials=options.trials or chosen.trials)


def measure(options: argparse.Namespace, contender: str) -> Iterator[Found]:
    """Everything that was asked for of one contender."""
    for engine in engines.supported(contenders.get(contender)):
        if engine.name not in options.engine:
            continue
        for kind, experiment in itertools.product(options.database, options.experiment):
            whom = {"contender": contender, "engine": engine.name, "database": kind}
            try:
                python = str(environments.python(contenders.get(contender)))
                with database(kind) as opened:
                    subject = Subject(**whom, opened=opened, python=python)
                    yield from EXPERIMENTS[experiment](
                        subject, plan(options, contender)
                    )
            except (NotServedError, subprocess.CalledProcessError) as error:
                yield Found(Failed(**whom, error=str(error)), [], "")


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    # So that whoever stops this leaves neither a server nor a database behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    given = sys.argv[1:] if arguments is None else arguments
    command = " ".join(["python -m benchmarks truth", *given])
    described = machine.describe(command)
    directory = results.PUBLISHED if options.full else results.QUICK
    is_violated = False
    for contender in options.contender:
        for found in measure(options, contender):
            show(found)
            keep(found.row, described, directory)
            is_violated |= contender == OURS and found.row.is_bad
    return int(is_violated)


def keep(row: Row, described: dict[str, Any], directory: Path) -> None:
    truth = Truth.load(directory)
    truth.machine = described
    date, commit = described["date"], described["commit"]
    truth.put(dataclasses.replace(row, date=date, commit=commit))
    truth.save(directory)


def show(found: Found) -> None:
    """One line; more on standard error of what this package should not have done."""
    facts = dataclasses.asdict(found.row)
    print(*(f"{name}={value}" for name, value in facts.items() if value), flush=True)
    if found.examples and found.row.contender == OURS:
        print(*found.examples[:EXAMPLES], found.log[-LOG:], sep="\n", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
