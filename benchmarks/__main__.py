"""
Measure, and keep what was found: ``python -m benchmarks [--full] [BENCHMARK...]``.
See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import signal
import sys

from benchmarks import cost, profiling, signin
from benchmarks.report import page
from benchmarks.truth import __main__ as truth

KNOWN = ["cost", "signin", "profile", "report"]


def main() -> int:
    # Truth has options of its own.
    if sys.argv[1:2] == ["truth"]:
        return truth.main(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--full", action="store_true", help="more of everything")
    parser.add_argument(
        "--huge", action="store_true", help="sign-ins also among ten million rows"
    )
    parser.add_argument(
        "benchmarks",
        nargs="*",
        metavar="BENCHMARK",
        default=KNOWN,
        help="cost, signin, profile, report (default: all), or truth (see its --help)",
    )
    options = parser.parse_args()
    if unknown := set(options.benchmarks) - set(KNOWN):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    # So that whoever stops this leaves neither a process nor a database behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    command = f"python -m benchmarks {' '.join(sys.argv[1:])}".strip()
    if "cost" in options.benchmarks:
        cost.run(full=options.full, command=command)
    if "signin" in options.benchmarks:
        signin.run(full=options.full, huge=options.huge, command=command)
    if "profile" in options.benchmarks:
        profiling.run(full=options.full, command=command)
    if "report" in options.benchmarks:
        page.write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
