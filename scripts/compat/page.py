"""Write the parts of docs/reference/compatibility.md that repeat the data files."""

from __future__ import annotations

from collections.abc import Iterator

from libraries import MODES, differences, libraries


def table() -> Iterator[str]:
    """Yield the lines of the table of libraries."""
    yield "| library | version | what was run | tests | in CI | what to set |"
    yield "|---|---|---|---|---|---|"
    for library in libraries():
        quick = "all" if library.quick == [*MODES][1:] else ", ".join(library.quick)
        cells = (
            library.name,
            library.version,
            library.covers,
            f"{library.passes:,}",
            quick,
            library.set,
        )
        yield f"| {' | '.join(cells)} |"


def explanations() -> Iterator[str]:
    """Yield a line for each explained difference."""
    for distribution, listed in differences().items():
        for difference in listed:
            modes = ", ".join(f"`{mode}`" for mode in difference["modes"])
            n = len(difference["tests"])
            tests = f"{n} test{'s' * (n > 1)}"
            yield f"- **{distribution}**, {tests} under {modes}: {difference['why']}"
