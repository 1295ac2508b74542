"""Run the matrix and print it as a Markdown table. Exit with 1 on a violation."""

from __future__ import annotations

import argparse
import signal
import sys
from itertools import groupby
from typing import TYPE_CHECKING

from tests.cap import matrix
from tests.cap.databases import KINDS, database
from tests.cap.harness import Result, migrate, run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.cap.judge import Combination

COLUMNS = [
    "database",
    "isolation",
    "transactions",
    "server/view",
    "sign-ins at once x rounds",
    "limit",
    "samples",
    "max live seen",
    "violations",
    "5xx",
    "400",
]


def cells(result: Result) -> list[object]:
    combination = result.combination
    excused = combination.may_fail_to_serialize and result.server_errors
    return [
        combination.database,
        combination.isolation,
        combination.transactions,
        f"{combination.server}/{combination.view}",
        f"{result.sign_ins} x {result.rounds}",
        f"{combination.limit}, {combination.at_limit}",
        result.samples,
        result.most_live,
        len(result.violations),
        f"{result.server_errors}{' (retryable 503)' if excused else ''}",
        result.bad_requests,
    ]


def line(values: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, values))} |"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cap", description=__doc__)
    parser.add_argument("--database", choices=KINDS, action="append")
    parser.add_argument(
        "--rounds",
        type=int,
        default=8,
        help="rounds of 8 sign-ins; half as many rounds of 50",
    )
    parser.add_argument(
        "--quick", action="store_true", help="measure only what the tests run"
    )
    options = parser.parse_args()
    rounds = 4 if options.quick else options.rounds
    plan = [(8, rounds), (50, max(1, rounds // 2))]
    combinations = [
        each
        for each in (matrix.moderate() if options.quick else matrix.full())
        if not options.database or each.database in options.database
    ]
    # Let a signal stop the servers and drop the database.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(line(COLUMNS))
    print(line("---" for _ in COLUMNS))
    violated = False
    for kind, group in groupby(combinations, key=lambda each: each.database):
        with database(kind) as opened:
            for number, combination in enumerate(group):
                if not number:
                    migrate(combination, opened)
                results, log = run(combination, opened, plan)
                for result in results:
                    print(line(cells(result)), flush=True)
                violated |= report(combination, results, log)
    return int(violated)


def report(combination: Combination, results: Iterable[Result], log: str) -> bool:
    """
    Print violations and the server's log to standard error. Return whether any exist.
    """
    violations = [each for result in results for each in result.violations]
    if violations:
        print(combination, *violations, log, sep="\n", file=sys.stderr, flush=True)
    return bool(violations)


if __name__ == "__main__":
    sys.exit(main())
