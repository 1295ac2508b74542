"""Compare the reference of the Python API with the code."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path

import pytest
from django.dispatch import Signal

from session_limit import audit, exceptions, registry, signals
from session_limit.models import Play, UserSession
from session_limit.request import SessionLimit

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "api.md"
TEXT = PAGE.read_text()
SIGNATURES = dict(re.findall(r"^\*\*`(\w+)(\(.*\))`\*\*$", TEXT, re.MULTILINE))


def section(heading: str) -> str:
    """Return the text under ``heading``, up to the next heading of its level."""
    [level] = re.findall(rf"^(#+) {re.escape(heading)}$", TEXT, re.MULTILINE)
    text = TEXT.partition(f"\n{level} {heading}\n")[2]
    return re.split(rf"^#{{2,{len(level)}}} ", text, flags=re.MULTILINE)[0]


def rows(text: str) -> list[str]:
    """Return the names in the first column of the tables in ``text``."""
    cells = re.findall(r"^\| (`[^|]*`) \|", text, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`(\w+)[^`]*`", cell)]


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_function_of_the_registry_takes_what_the_page_says(name):
    parameters = inspect.signature(getattr(registry, name)).parameters.values()
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in parameters]
    shown = str(inspect.Signature(bare)).replace("'", '"')
    assert SIGNATURES[name] == shown


def test_exactly_what_is_named_is_exported():
    assert {*SIGNATURES, "averify", "PlayStart"} == set(registry.__all__)


def test_a_start_has_the_attributes_on_the_page():
    table = section("Registry").rpartition("A `PlayStart` says")[2]
    fields = [each.name for each in dataclasses.fields(registry.PlayStart)]
    assert rows(table) == fields


@pytest.mark.parametrize("model", [UserSession, Play])
def test_a_model_has_what_the_page_lists(model):
    names = rows(section(f"`{model.__name__}`"))
    assert len(names) > 10
    for name in names:
        assert hasattr(model, name) or hasattr(model.objects, name), name


def test_the_request_has_the_attributes_on_the_page():
    text = section("`request.session_limit`")
    pairs = re.findall(r"^\| `(\w+)` \| `(\w+)\(\)` \|", text, re.MULTILINE)
    public = [name for name in vars(SessionLimit) if not name.startswith("_")]
    assert [name for pair in pairs for name in pair] == public


def test_the_page_lists_exactly_the_signals():
    defined = [name for name, value in vars(signals).items() if type(value) is Signal]
    assert rows(section("Signals")) == defined


def test_the_page_lists_exactly_the_exceptions():
    listed = re.findall(r"^### `(\w+)`$", section("Exceptions"), re.MULTILINE)
    defined = {
        name
        for name, value in vars(exceptions).items()
        if inspect.isclass(value) and value.__module__ == exceptions.__name__
    }
    assert set(listed) == defined


def test_the_page_lists_exactly_the_events_of_the_log():
    written = re.findall(r'f"(\w+):\{', inspect.getsource(audit))
    assert sorted(rows(section("Log"))) == sorted(written)
