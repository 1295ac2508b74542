"""
Run a history, judge it, and print its figures. With --all, run each combination that is
published. Exit with status 1 if a rule was violated.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from tests.history import network, page, run
from tests.history.history import read
from tests.history.judge import objections
from tests.history.project.broken import BROKEN
from tests.history.report import text

# Together they contain every database and every bus.
PUBLISHED = [
    ("postgresql", "redis"),
    ("postgresql", "postgres"),
    ("pgbouncer", "none"),
    ("mariadb", "redis"),
]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.history", description=__doc__
    )
    parser.add_argument("--database", choices=run.DATABASES, default="postgresql")
    parser.add_argument("--bus", choices=run.BACKENDS, default="none")
    parser.add_argument("--minutes", type=float, default=10, help="of faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--all", action="store_true", help=f"write {page.PAGE.name}")
    parser.add_argument("--broken", choices=BROKEN, help="a safeguard to remove")
    parser.add_argument(
        "--keep", type=Path, help="a new directory for history and logs"
    )
    parser.add_argument("--judge", type=Path, help="a history to judge again")
    return parser.parse_args()


def judge(path: Path) -> int:
    """Judge a recorded history, print its figures and return the exit status."""
    history = read(path)
    found = objections(history)
    print(text(history, found), flush=True)
    return int(bool(found))


def outside(plan: run.Plan, directory: Path) -> int:
    """Run a plan in a network namespace of its own. Return the exit status."""
    if why := run.check(plan):
        print(why, file=sys.stderr)
        return 2
    if directory.exists():
        print(f"{directory} exists already.", file=sys.stderr)
        return 2
    directory.mkdir(parents=True)
    # The services run as other users, who must be able to enter it.
    directory.chmod(0o755)
    return network.enter(
        [
            f"--database={plan.database}",
            f"--bus={plan.bus}",
            f"--minutes={plan.seconds / 60}",
            f"--seed={plan.seed}",
            f"--keep={directory}",
            *([f"--broken={plan.broken}"] if plan.broken else []),
        ]
    )


def run_all(plan: run.Plan, directory: Path) -> int:
    """Run every published combination and write the page. Return the worst status."""
    worst = 0
    judged = []
    for database, bus in PUBLISHED:
        place = directory / f"{database}-{bus}"
        status = outside(replace(plan, database=database, bus=bus), place)
        if status == 2:
            return status
        worst = max(worst, status)
        history = read(place / "history.jsonl")
        judged.append((history, objections(history)))
    page.write(judged)
    return worst


def main() -> int:
    options = parse()
    if options.judge is not None:
        return judge(options.judge)
    # Exit normally on SIGTERM, so that nothing is left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    seconds, broken = options.minutes * 60, options.broken or ""
    plan = run.Plan(options.database, options.bus, options.seed, seconds, broken)
    if network.is_inside():
        return judge(run.run(plan, options.keep))
    with tempfile.TemporaryDirectory(prefix=network.directory_prefix()) as made:
        directory = options.keep or Path(made) / "run"
        Path(made).chmod(0o755)
        return (run_all if options.all else outside)(plan, directory)


if __name__ == "__main__":
    sys.exit(main())
