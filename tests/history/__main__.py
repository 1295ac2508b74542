"""Run a history, judge it, and print its figures. Exit 1 if anything was violated."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.history import network, run
from tests.history.history import read
from tests.history.judge import objections
from tests.history.project.broken import BROKEN
from tests.history.report import text


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.history", description=__doc__
    )
    parser.add_argument("--database", choices=run.DATABASES, default="postgresql")
    parser.add_argument("--bus", choices=run.BACKENDS, default="none")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--broken", choices=BROKEN, help="a safeguard to take out")
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
    # So that whoever stops this leaves nothing behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    plan = run.Plan(
        options.database,
        options.bus,
        options.seed,
        options.minutes * 60,
        options.broken or "",
    )
    if network.is_inside():
        return judge(run.run(plan, options.keep))
    if why := run.check(plan) or network.lacks():
        print(why, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="session_limit_history_") as made:
        directory = options.keep or Path(made)
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        # The services run as users of their own.
        directory.chmod(0o755)
        return network.enter([*sys.argv[1:], "--keep", str(directory)])


if __name__ == "__main__":
    sys.exit(main())
