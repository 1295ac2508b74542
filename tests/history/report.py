"""Summarize histories in figures, as text for a terminal or Markdown for the docs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.history.endings import Endings
from tests.history.told import TOLERANCE, bound, most_connected, tellings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.history.history import History, Operation
    from tests.history.judge import Objection


# Seconds after a fault during which a server may be busy with delayed work.
NEAR = 2.0


def counted(kinds: Iterable[str]) -> str:
    found = Counter(kinds)
    # With spaces instead of underscores, so that a narrow column can break them.
    words = [f"{name.replace('_', ' ')} {found[name]}" for name in sorted(found)]
    return ", ".join(words) or "none"


def quantiles(values: list[float]) -> str:
    """Return the number of values, their median, 99th percentile and maximum."""
    if not values:
        return "none"
    ordered = sorted(max(0.0, value) for value in values)
    p50, p99 = (
        ordered[len(ordered) // 2],
        ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)],
    )
    return f"{len(ordered)}: p50 {p50:.2f}, p99 {p99:.2f}, worst {ordered[-1]:.2f}"


def _was_disturbed(operation: Operation, history: History) -> bool:
    """Return whether a fault affected the server during or shortly before it."""
    return any(
        operation.server in fault.servers
        and fault.began <= operation.completed
        and operation.invoked <= fault.settled + NEAR
        for fault in history.faults
    )


def figures(history: History, objections: list[Objection]) -> Iterator[tuple[str, str]]:
    """Yield the names and values of the figures of a run."""
    run, endings = history.run, Endings.of(history)
    told = list(tellings(history, endings))
    opened = [each for each in history.connections if each.opened is not None]
    seconds = max((each.ended for each in history.observations), default=0.0)
    yield "database, bus, seed", f"{run.database}, {run.bus}, {run.seed}"
    yield "seconds", f"{seconds:.0f}, faults for {run.seconds:.0f}"
    yield "servers, browsers", f"{run.servers}, {run.browsers}"
    kinds = sorted({each.kind for each in history.operations})
    for kind in kinds:
        of_kind = [each for each in history.operations if each.kind == kind]
        yield f"{kind}", f"{len(of_kind)}: {counted(each.outcome for each in of_kind)}"
    yield "operations", str(len(history.operations))
    failed = [each for each in history.operations if each.status >= 500]
    alone = sum(not _was_disturbed(each, history) for each in failed)
    yield "answers 5xx", f"{len(failed)}, {alone} of them without a fault near"
    yield "faults", counted(each.kind for each in history.faults)
    yield "sessions", str(len(history.rows))
    yield "endings", counted(each.reason for each in history.rows if each.ended)
    yield "plays", str(len(history.plays))
    yield "their endings", counted(each.reason for each in history.plays if each.ended)
    yield (
        "committed states read",
        str(max((each.count for each in history.observations), default=0)),
    )
    yield "connections", counted(each.kind for each in opened)
    yield "how they ended", counted(each.how for each in opened)
    yield "most at one server", str(most_connected(history))
    yield (
        "told after the ending, s",
        quantiles([each.took for each in told if not each.disturbed]),
    )
    yield (
        "told after the fault, s",
        quantiles([each.took for each in told if each.disturbed]),
    )
    yield "bound, s", f"{bound(most_connected(history)):.0f} (+{TOLERANCE:.0f})"
    yield "violations", str(len(objections))


def text(history: History, objections: list[Objection]) -> str:
    lines = [f"{name:>24}  {value}" for name, value in figures(history, objections)]
    return "\n".join([*lines, *map(str, objections)])


def table(judged: list[tuple[History, list[Objection]]]) -> str:
    """Return a Markdown table with a column for each run."""
    columns = [dict(figures(history, found)) for history, found in judged]
    names = list(dict.fromkeys(name for column in columns for name in column))
    runs = [column["database, bus, seed"] for column in columns]
    lines = [["", *runs], ["---"] * (1 + len(runs))]
    lines += [
        [name, *(column.get(name, "") for column in columns)]
        for name in names
        if name != "database, bus, seed"
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
