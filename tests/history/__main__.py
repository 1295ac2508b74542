"""Run a history, judge it, and print its figures. Exit 1 if anything was violated."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from tests.history import network, run
from tests.history.history import read
from tests.history.judge import objections
from tests.history.report import text


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.history", description=__doc__
    )
    parser.add_argument("--database", choices=run.DATABASES, default="postgresql")
    parser.add_argument("--bus", choices=run.BACKENDS, default="none")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="where to leave history and logs")
    parser.add_argument("--judge", type=Path, help="a history, to be judged again")
    return parser.parse_args()


def judge(path: Path) -> int:
    history = read(path)
    found = objections(history)
    print(text(history, found), flush=True)
    return int(bool(found))


def main() -> int:
    options = parse()
    if options.judge is not None:
        return judge(options.judge)
    plan = run.Plan(options.database, options.bus, options.seed, options.minutes * 60)
    if why := run.check(plan) or network.lacks():
        print(why, file=sys.stderr)
        return 2
    # So that whoever stops this leaves nothing behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if (status := network.enter()) is not None:
        return status
    with tempfile.TemporaryDirectory(prefix="session_limit_history_") as made:
        directory = options.keep or Path(made)
        directory.mkdir(parents=True, exist_ok=True)
        # The services run as users of their own.
        directory.chmod(0o755)
        return judge(run.run(plan, directory))


if __name__ == "__main__":
    sys.exit(main())
