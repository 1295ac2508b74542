"""The page of the documentation, written from what was measured last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.report import contenders, cost, profile, signin, targets

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "explanation" / "benchmarks.md"
PLOTS = PAGE.with_suffix("")

INTRODUCTION = """\
<!-- Written by "python -m benchmarks report": change that, not this. -->

# Benchmarks

What this package costs and whether it keeps its word, beside the same project without
it and with every alternative there is; the cases that it loses as well. `make bench`
measures again, in five minutes on two idle cores; `make bench FULL=1` takes longer and
is what is shown here. How it is measured, and how to read it, is in
[benchmarks/README.md]({readme}).

Trust ratios, and no difference that is smaller than that between `plain` and
`control`."""

README = "https://github.com/django-session-limit/django-session-limit"


def render(
    cost_result: dict[str, Any] | None,
    signin_result: dict[str, Any] | None,
    profile_result: dict[str, Any] | None,
) -> str:
    """Return the page; what has not been measured is left out."""
    parts = [
        INTRODUCTION.format(readme=f"{README}/blob/main/benchmarks/README.md"),
        "## Targets",
        targets.markdown(cost_result, signin_result),
        "## Who is measured",
        (
            "Each in an environment of its own, at its latest version, set up as its"
            " documentation says."
        ),
        contenders.markdown(),
    ]
    if cost_result is not None:
        parts += cost.markdown(cost_result)
    if signin_result is not None:
        parts += signin.markdown(signin_result)
    if profile_result is not None:
        parts += profile.markdown(profile_result)
    return "\n\n".join(parts) + "\n"


def write() -> None:
    measured = {name: results.load(name) for name in ("cost", "signin", "profile")}
    PLOTS.mkdir(exist_ok=True)
    for name, plot in (("cost", cost.plot), ("signin", signin.plot)):
        if (result := measured[name]) is not None:
            (PLOTS / f"{name}.svg").write_text(plot(result))
    PAGE.write_text(render(*measured.values()))
    print(PAGE.relative_to(ROOT))
