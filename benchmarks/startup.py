"""What a process costs until it can answer: CPU time, in fresh processes in turn."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.contenders import PLAIN, Contender
from benchmarks.databases import Database
from benchmarks.environments import ROOT, python
from benchmarks.figures import difference, spread
from benchmarks.workers import environment

# The interpreter's own start is everybody's.
CODE = """
import time
started = time.process_time()
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver
get_wsgi_application()
get_resolver().url_patterns
print(1000 * (time.process_time() - started))
"""


def _start(contender: Contender, variables: dict[str, str]) -> float:
    """Return how many milliseconds of CPU one start takes."""
    finished = subprocess.run(
        [python(contender), "-c", CODE],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(json.loads(finished.stdout))


def measure(
    measured: Sequence[Contender],
    database: Callable[[str, Contender], Database],
    rounds: int,
) -> Iterator[dict[str, Any]]:
    """Yield what each takes more than plain; ``database`` is not connected to."""
    starting = {
        each: environment(each, database("sqlite", each), each.engines[0])
        for each in measured
    }
    taken: dict[Contender, list[float]] = {each: [] for each in measured}
    failed = {}
    for number in range(rounds + 1):
        for each in random.sample(list(starting), len(starting)):
            try:
                once = _start(each, starting[each])
            except subprocess.CalledProcessError as error:
                failed[each] = error.stderr.strip().rpartition("\n")[2]
                del starting[each]
                continue
            if number:  # the first compiles, and fills the file system's cache
                taken[each].append(once)
    for each in measured:
        if each in failed:
            yield {"contender": each.name, "error": failed[each]}
            continue
        yield {
            "contender": each.name,
            "ms": spread(taken[each]),
            "more_ms": difference(taken[each], taken[PLAIN]),
        }
