"""Who was measured."""

from __future__ import annotations

import inspect
import re

from benchmarks import contenders
from benchmarks.contenders import OURS, Contender
from benchmarks.contenders.base import nothing_more
from benchmarks.environments import lock_file
from benchmarks.report.tables import table


def version(contender: Contender) -> str:
    """Return the version that its environment has."""
    if not contender.requirement or contender.environment == OURS.environment:
        return ""
    pattern = rf"^{re.escape(contender.requirement)}==([^ ;]+)"
    found = re.search(pattern, lock_file(contender).read_text(), re.MULTILINE)
    assert found is not None, f"{contender.name} is not in its lock"
    return found[1]


def _named(contender: Contender) -> str:
    if not contender.documentation:
        return contender.name
    return f"[{contender.name}]({contender.documentation})"


def _sign_in(contender: Contender) -> str:
    if contender.limits:
        return "nothing: it limits by itself"
    if contender.after_sign_in is nothing_more:
        return "nothing: any number of sessions"
    module = inspect.getmodule(contender.after_sign_in)
    assert module is not None
    file = module.__name__.replace(".", "/")
    return f"ends the others, in `{file}.py`"


def markdown() -> str:
    return table(
        ["", "version", "engines", "after `login()`", ""],
        [
            [
                _named(each),
                version(each),
                ", ".join(f"`{engine}`" for engine in each.engines),
                _sign_in(each),
                each.note,
            ]
            for each in contenders.ALL.values()
        ],
    )
