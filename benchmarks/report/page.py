"""The page of the documentation, written from what was measured last."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.report import contenders, cost, profile, signin, targets
from benchmarks.truth import report as truth

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "explanation" / "benchmarks.md"

INTRODUCTION = """\
<!-- Written by "python -m benchmarks report": change that, not this. -->

# Benchmarks

What this package costs and whether it keeps its word, beside the same project without
it and with every alternative there is; the cases that it loses as well. `make bench`
measures again, in minutes; `make bench FULL=1` takes longer. Each part names the
command that measured it, the commit and the machine; `benchmarks/README.md` says how it
is measured and how to read it.

Trust ratios, and no difference that is smaller than that between `plain` and
`control`."""

WHO = """\
Each in an environment of its own, at its latest version, set up as its documentation
says. The last column but one is what a project that wants one session per account adds
after Django's `login()`."""


def render(measured: Mapping[str, dict[str, Any] | None]) -> str:
    """Return the page; what has not been measured is left out."""
    parts = [
        INTRODUCTION,
        "## Targets",
        targets.markdown(measured["cost"], measured["signin"]),
        "## Who is measured",
        WHO,
        contenders.markdown(),
    ]
    for name, section in (("cost", cost), ("signin", signin)):
        if (result := measured[name]) is not None:
            parts += section.markdown(result)
    if found := truth.markdown():
        parts += ["## Whether what has ended stays ended", found]
    if (result := measured["profile"]) is not None:
        parts += profile.markdown(result)
    return "\n\n".join(parts) + "\n"


def plots(measured: Mapping[str, dict[str, Any] | None]) -> dict[str, str]:
    """Return the drawings that the page shows, by name."""
    drawn = {"cost": cost.plot, "signin": signin.plot}
    return {
        name: draw(result)
        for name, draw in drawn.items()
        if (result := measured[name]) is not None
    }


def write(directory: Path) -> Path:
    """
    Write the page of what ``directory`` has: into the documentation what is published,
    beside them the results of a quick run.
    """
    names = ("cost", "signin", "profile")
    measured = {name: results.load(name, directory) for name in names}
    page = PAGE if directory == results.PUBLISHED else directory / PAGE.name
    page.with_suffix("").mkdir(exist_ok=True)
    for name, drawing in plots(measured).items():
        (page.with_suffix("") / f"{name}.svg").write_text(drawing)
    page.write_text(render(measured))
    return page
