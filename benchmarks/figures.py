"""Compute the figures of the benchmarks, and write them into the documentation."""

from __future__ import annotations

import os
import platform
import re
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.environments import ROOT


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with its lower and upper quartile."""

    median: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        return "{:{s}} ({:{s}}-{:{s}})".format(
            self.median, self.low, self.high, s=spec or ".2f"
        )


def spread(values: Sequence[float]) -> Spread:
    if len(values) < 2:
        [value] = values
        return Spread(value, value, value)
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high)


def ratio(values: Sequence[float], to: Sequence[float]) -> Spread:
    """
    Return the spread of the ratios of two contenders' values, round by round.

    A machine that slows down during a round slows both contenders, so their ratio is
    stable.
    """
    return spread([value / base for value, base in zip(values, to, strict=True)])


def difference(values: Sequence[float], to: Sequence[float]) -> Spread:
    """
    Return the spread of the differences of two contenders' values, round by round.
    """
    return spread([value - base for value, base in zip(values, to, strict=True)])


def percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def verdict(missed: Sequence[str]) -> str:
    return f"**Missed:** {'; '.join(missed)}." if missed else "All targets were met."


def _find(page: Path, name: str) -> re.Match[str]:
    start, end = re.escape(f"<!-- figures: {name} -->"), re.escape("<!-- end -->")
    found = list(
        re.finditer(f"(?<={start})(.*?)(?={end})", page.read_text(), re.DOTALL)
    )
    if len(found) != 1:
        raise ValueError(f"{page} has {len(found)} blocks named {name}.")
    return found[0]


def block(page: Path, name: str) -> str:
    """
    Return the text between ``<!-- figures: NAME -->`` and ``<!-- end -->`` on a page.

    Raises ``ValueError`` unless the page contains exactly one such block.
    """
    return _find(page, name)[1].strip()


def publish(page: Path, name: str, text: str) -> None:
    """Replace the text of the block ``name`` on a page with ``text``."""
    found = _find(page, name)
    before, after = found.string[: found.start()], found.string[found.end() :]
    page.write_text(f"{before}\n\n{text}\n\n{after}")


def _output(*command: str) -> str:
    finished = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    return finished.stdout.strip()


def commit() -> str:
    """Return the checked-out commit, and whether the source differs from it."""
    changed = _output("git", "status", "--porcelain", "--", "src")
    name = _output("git", "rev-parse", "--short", "HEAD")
    return f"{name} with changes" if changed else name


def measured() -> str:
    """Return a sentence with the date, commit and machine of the measurement."""
    import django

    from benchmarks.servers import versions

    cpu = Path("/proc/cpuinfo")
    text = cpu.read_text() if cpu.exists() else ""
    model = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    found = {"Python": sys.version.split()[0], "Django": django.__version__}
    named = ", ".join(f"{name} {value}" for name, value in (found | versions()).items())
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC at commit {commit()} on"
        f" {os.cpu_count()} cores ({model[1] if model else platform.machine()}),"
        f" load {os.getloadavg()[0]:.2f} before it; {named}."
    )
