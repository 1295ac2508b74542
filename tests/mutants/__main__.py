"""
Try every mutant, or those whose names contain one of the words given.

With ``--third``, try every third one, beginning at another one each day. Exit 1 if a
test fails as it is, or a mutant survives.
"""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from tests.mutants.breakages import MUTANTS
from tests.mutants.mutant import Mutant, Verdict, try_mutant, try_unchanged

AT_ONCE = 2
HAS_SERVICES = os.environ.get("SESSION_LIMIT_REQUIRE_SERVICES") == "1"


def chosen(words: list[str]) -> tuple[list[Mutant], list[Mutant]]:
    """Return the mutants to try, and those that need a server there is not."""
    if words == ["--third"]:
        wanted = MUTANTS[time.gmtime().tm_yday % 3 :: 3]
    else:
        wanted = [m for m in MUTANTS if not words or any(w in m.name for w in words)]
    runnable = [m for m in wanted if HAS_SERVICES or m.database == "sqlite"]
    return runnable, [m for m in wanted if m not in runnable]


def report(title: str, verdict: Verdict, *, good: str) -> None:
    result = good if verdict.ok else "FAILED"
    print(f"{result} {verdict.seconds:5.1f} s  {title}: {verdict.reason}", flush=True)


def main() -> int:
    mutants, not_run = chosen(sys.argv[1:])
    tests: dict[str, dict[str, None]] = defaultdict(dict)
    for mutant in mutants:
        tests[mutant.database][mutant.node] = None
    # Each of those that run at once has a database of its own.
    names: SimpleQueue[str] = SimpleQueue()
    for number in range(AT_ONCE):
        names.put(f"session_limit_mutants_{os.getpid()}_{number}")

    def with_name(function, *arguments):
        name = names.get()
        try:
            return function(*arguments, name)
        finally:
            names.put(name)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        unchanged = pool.map(
            lambda database: with_name(try_unchanged, list(tests[database]), database),
            tests,
        )
        are_sound = True
        for database, verdict in zip(tests, unchanged, strict=True):
            report(f"unchanged, on {database}", verdict, good="passed")
            are_sound &= verdict.ok
        if not are_sound:
            return 1
        caught = 0
        verdicts = pool.map(lambda mutant: with_name(try_mutant, mutant), mutants)
        for mutant, verdict in zip(mutants, verdicts, strict=True):
            report(f"{mutant.name} ({mutant.database})", verdict, good="caught")
            caught += verdict.ok
    for mutant in not_run:
        print(f"not run: {mutant.name} (needs {mutant.database})")
    if not_run:
        print("SESSION_LIMIT_REQUIRE_SERVICES=1 runs those too.")
    print(f"{caught} passed, {len(mutants) - caught} failed, {len(not_run)} not run")
    return int(caught < len(mutants))


if __name__ == "__main__":
    sys.exit(main())
