"""
Run the tests of other libraries, and Django's own, without and with this package.

Each library runs plain, and then with the package installed with no session limit, with
a limit of 1, and with a limit of 1 and "deny". The script fails if the outcomes differ,
except for the differences that differences.toml explains.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from libraries import MODES, libraries
from page import explanations, table
from runs import judge
from sources import source


def main() -> None:
    known = {library.name: library for library in libraries()}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="library", help=", ".join(known))
    parser.add_argument("--quick", action="store_true", help="only what CI runs")
    parser.add_argument("--page", action="store_true", help="print what docs/ repeats")
    options = parser.parse_args()
    if options.page:
        print(*table(), "", *explanations(), sep="\n")
        return
    names = {name for each in known.values() for name in (each.name, each.distribution)}
    if unknown := {*options.names} - names:
        parser.error(f"no library is called {', '.join(unknown)}")
    chosen = [
        library
        for library in known.values()
        if not options.names or {library.name, library.distribution} & {*options.names}
        if library.quick or not options.quick
    ]
    modes = [each.quick if options.quick else [*MODES][1:] for each in chosen]
    # Runs of two libraries share no directory, but two engines of Django's do.
    for library in chosen:
        source(library)
    workers = int(os.environ.get("WORKERS", os.cpu_count() or 1))
    with ThreadPoolExecutor(workers) as pool:
        objections = [
            objection for found in pool.map(judge, chosen, modes) for objection in found
        ]
    for objection in objections:
        print(f"\n{objection}")
    if objections:
        sys.exit(f"\n{len(objections)} unexplained differences.")
    print("The same with the package as without it, apart from what is explained.")


if __name__ == "__main__":
    main()
