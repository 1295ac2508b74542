"""
Test whether what has ended stays ended: ``python -m tests.finality``.

Tries this package on every session engine, or with ``--contender`` any of
``benchmarks.contenders``. Exits with 1 if this package violated a guarantee. ``--full``
writes the rows that were measured into docs/explanation/benchmarks.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from benchmarks import environments, summary
from benchmarks.contenders import BY_NAME, MEASURED, OURS
from benchmarks.figures import block, commit, publish
from tests.cap.databases import KINDS, database
from tests.finality import engines
from tests.finality.deployment import NotServedError, Subject
from tests.finality.results import merged
from tests.finality.runner import (
    EXPERIMENTS,
    FULL,
    FULL_FOR_OTHERS,
    QUICK,
    Found,
    Plan,
)

PAGE = environments.ROOT / "docs" / "explanation" / "benchmarks.md"
# How many violations are shown, and how many characters of the servers' logs.
EXAMPLES, LOG = 3, 3000


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.finality")
    # With a limit above one, there is nothing to come back to.
    names = [each.name for each in MEASURED if each.limit in {1, None}]
    parser.add_argument("--contender", choices=[*names, "all"], action="append")
    parser.add_argument("--engine", choices=engines.ENGINES, action="append")
    parser.add_argument("--database", choices=KINDS, action="append")
    parser.add_argument("--experiment", choices=EXPERIMENTS, action="append")
    parser.add_argument("--full", action="store_true", help="as published")
    parser.add_argument("--trials", type=int, help="of each engine, under load")
    options = parser.parse_args(arguments)
    options.contender = options.contender or [OURS.name]
    if "all" in options.contender:
        options.contender = names
    options.engine = options.engine or list(engines.ENGINES)
    options.database = options.database or ["postgresql"]
    options.experiment = options.experiment or list(EXPERIMENTS)
    return options


def plan(options: argparse.Namespace, contender: str) -> Plan:
    full = FULL if contender == OURS.name else FULL_FOR_OTHERS
    chosen = full if options.full else QUICK
    return dataclasses.replace(chosen, trials=options.trials or chosen.trials)


def measure(options: argparse.Namespace, contender: str) -> Iterator[list[Found]]:
    """Yield what each experiment found on each engine and database."""
    python = environments.python(BY_NAME[contender].environment)
    for engine in engines.supported(BY_NAME[contender]):
        if engine.name not in options.engine:
            continue
        for kind, name in itertools.product(options.database, options.experiment):
            with database(kind) as opened:
                subject = Subject(contender, engine.name, kind, opened, python=python)
                yield list(EXPERIMENTS[name](subject, plan(options, contender)))


def show(found: list[Found], *, publishes: bool) -> bool:
    """Print what was found, and return whether this package violated a guarantee."""
    is_bad = False
    for kind in dict.fromkeys(type(each.row) for each in found):
        rows = [each.row for each in found if isinstance(each.row, kind)]
        when = f"{datetime.now(UTC):%Y-%m-%d}, {commit()}"
        row = [*rows[0].whom, *kind.cells(rows), when]
        print(f"\n{kind.block}\n\n{merged('', kind, row)}", flush=True)
        if publishes:
            publish(PAGE, kind.block, merged(block(PAGE, kind.block), kind, row))
    for each in found:
        if each.row.is_bad and each.row.contender == OURS.name:
            is_bad = True
            print(*each.examples[:EXAMPLES], each.log[-LOG:], sep="\n", file=sys.stderr)
    return is_bad


def main() -> int:
    options = parse(None)
    # Ends the servers and drops the databases if this process is terminated.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    is_bad = False
    for contender in options.contender:
        try:
            for found in measure(options, contender):
                is_bad |= show(found, publishes=options.full)
        except (NotServedError, subprocess.CalledProcessError) as error:
            print(f"{contender} does not run: {error}", file=sys.stderr)
            is_bad |= contender == OURS.name
    if options.full:
        summary.write()
    return int(is_bad)


if __name__ == "__main__":
    sys.exit(main())
