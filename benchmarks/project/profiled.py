"""Where the time goes: the functions in which most of it is spent."""

from __future__ import annotations

import cProfile
import pstats
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MICROSECONDS = 1_000_000


def _named(file: str, line: int, function: str) -> str:
    """Name a function by its package's path, whatever machine it is on."""
    if file == "~":
        return function
    parts = Path(file).parts
    for root in ("site-packages", "src"):
        if root in parts:
            return f"{'/'.join(parts[parts.index(root) + 1 :])}:{function}"
    return f"{'/'.join(parts[-2:])}:{function}"


@contextmanager
def profiled(requests: int, top: int) -> Iterator[list[dict[str, Any]]]:
    """
    Profile what is done inside, ``requests`` times the same; fill the list with the
    functions that take most time by themselves, then with all of ours.
    """
    rows: list[dict[str, Any]] = []
    # Of the process's own time: how long a database takes is not what is asked.
    profiler = cProfile.Profile(time.process_time)
    profiler.enable()
    try:
        yield rows
    finally:
        profiler.disable()
    stats: Any = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    every = [
        {
            "function": _named(*where),
            "calls": calls / requests,
            "own": own / requests * MICROSECONDS,
            "cumulative": cumulative / requests * MICROSECONDS,
        }
        for where, (_, calls, own, cumulative, _) in stats.items()
    ]
    every.sort(key=lambda row: -row["own"])
    ours = [row for row in every if row["function"].startswith("session_limit/")]
    rows += [*every[:top], *(row for row in ours[:top] if row not in every[:top])]
