"""
Measure, and keep what was found: ``python -m benchmarks [--full] [BENCHMARK...]``.
See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import signal
import sys

from benchmarks import cost, profiling, results, signin
from benchmarks.report import page
from benchmarks.truth import __main__ as truth

KNOWN = ["cost", "signin", "profile", "truth", "report"]
# Truth takes as long as all the others, and `make finality` has the part of it that
# this package must not fail: in a quick run it is left out.
QUICK = ["cost", "signin", "profile", "report"]


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
        help="of cost, signin, profile, truth, report; by default all, but truth only"
        " with --full. Alone, truth has options of its own.",
    )
    options = parser.parse_args()
    chosen = options.benchmarks or (KNOWN if options.full else QUICK)
    if unknown := set(chosen) - set(KNOWN):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    # So that whoever stops this leaves neither a process nor a database behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    command = f"python -m benchmarks {' '.join(sys.argv[1:])}".strip()
    is_published = options.full or chosen == ["report"]
    directory = results.PUBLISHED if is_published else results.QUICK
    measure = {
        "cost": lambda: cost.run(full=options.full, command=command),
        "signin": lambda: signin.run(
            full=options.full, huge=options.huge, command=command
        ),
        "profile": lambda: profiling.run(full=options.full, command=command),
    }
    for name in chosen:
        if name in measure:
            for result in measure[name]():
                results.save(name, result, directory)
    if "truth" in chosen:
        truth.main(["--full"] if options.full else [])
    if "report" in chosen:
        print(page.write(directory))
    return 0


if __name__ == "__main__":
    sys.exit(main())
