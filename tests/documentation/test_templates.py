"""Compare the pages about templates with the templates of the package."""

from __future__ import annotations

import re

import pytest

from tests.documentation.pages import ROOT

TEMPLATES = ROOT / "src" / "session_limit" / "templates" / "session_limit"
HOW_TO = ROOT / "docs" / "how-to"
TEXT = (HOW_TO / "pages.md").read_text()
NAMED = TEXT + (HOW_TO / "new-sign-ins.md").read_text()
NAMES = sorted(path.name for path in TEMPLATES.glob("*.html"))
ROW = re.compile(r"^\| `(\w+\.html)` \| .* \| (.*) \|$", re.MULTILINE)
LISTED = {
    name: re.findall(r"`(\w+)`", blocks)
    for name, blocks in ROW.findall(TEXT.partition("### Context")[0])
}


@pytest.mark.parametrize("name", NAMES)
def test_every_template_is_named(name):
    assert f"{name}`" in NAMED


ABOVE = ["base.html", "page.html"]


def blocks(name: str) -> set[str]:
    text = (TEMPLATES / name).read_text()
    return {*re.findall(r"{% block (\w+) %}", text)} - {"title", "heading"}


@pytest.mark.parametrize("name", LISTED)
def test_a_template_has_exactly_the_blocks_on_the_page(name):
    above = {"base.html": [], "page.html": ["base.html"]}.get(name, ABOVE)
    inherited = {block for each in above for block in blocks(each)}
    assert blocks(name) - inherited == set(LISTED[name])
