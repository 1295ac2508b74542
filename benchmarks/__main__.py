"""
Measure what the package costs: ``python -m benchmarks [--full] [SUBJECT...]``.

Prints the figures. With ``--full``, measures longer and writes them into the pages of
the documentation.
"""

from __future__ import annotations

import argparse
import signal
import sys
from importlib import import_module

from benchmarks import summary
from benchmarks.figures import publish

SUBJECTS = (
    "cost",
    "instructions",
    "signin",
    "push",
    "plays",
    "gateway",
    "sweep",
    "flood",
)
DEFAULT = ("cost", "instructions", "signin")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--full", action="store_true", help="measure what is published")
    parser.add_argument(
        "subjects",
        nargs="*",
        metavar="SUBJECT",
        choices=[*SUBJECTS, []],
        help=f"of {', '.join(SUBJECTS)}; by default {', '.join(DEFAULT)}",
    )
    options = parser.parse_args()
    # Exit in the ordinary way when terminated, so that all processes are ended and all
    # databases dropped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for name in options.subjects or DEFAULT:
        subject = import_module(f"benchmarks.{name}")
        texts = subject.measure(full=options.full)
        for block, text in zip(subject.BLOCKS, texts, strict=True):
            print(f"\n## {block}\n\n{text}", flush=True)
            if options.full:
                publish(subject.PAGE, block, text)
    if options.full:
        summary.write()


if __name__ == "__main__":
    main()
