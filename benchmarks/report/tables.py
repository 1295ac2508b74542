"""Markdown, and how a figure is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Figure = dict[str, Any]


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def times(spread: Figure) -> str:
    """A ratio, and the quartiles that it lies between."""
    return "{median:.2f} ({low:.2f}-{high:.2f})".format(**spread)


def milliseconds(spread: Figure) -> str:
    return "{median:.1f} ({low:.1f}-{high:.1f})".format(**spread)


def statements(counts: dict[str, int]) -> str:
    """Reads, writes and others of a request; and what it asked of the cache."""
    parts = [
        f"{counts[kind]} {kind if counts[kind] > 1 else kind.removesuffix('s')}"
        for kind in ("reads", "writes", "others")
        if counts.get(kind)
    ]
    if counts.get("cache"):
        parts.append(f"{counts['cache']} cache")
    return ", ".join(parts) or "none"


def measured_on(machine: dict[str, Any]) -> str:
    """Where, when and how: what every section begins with."""
    versions = ", ".join(f"{name} {v}" for name, v in machine["versions"].items())
    changed = " with changes" if machine["changed"] else ""
    return (
        f"`{machine['command']}` at commit {machine['commit']}{changed},"
        f" {machine['date']}, load {machine['load']} at the start. {machine['cores']}"
        f" cores of {machine['processor']}, {machine['system']}; {versions}."
        # Of a run that was not all of it.
        f" {machine.get('remark', '')}"
    ).rstrip()


def find(figures: Iterable[Figure], **wanted: object) -> Figure | None:
    """Return the figure that was measured with these, if it was and nothing failed."""
    for figure in figures:
        if all(figure.get(k) == v for k, v in wanted.items()) and "error" not in figure:
            return figure
    return None
