"""What the sources of all our pages have in common."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.template import engines
from django.template.loader import render_to_string
from django.utils import translation

import session_limit
from session_limit.pages.messages import Message
from session_limit.pages.next_steps import Step

HERE = Path(session_limit.__file__).parent
TEMPLATES = HERE / "templates"
STYLE = (HERE / "static/session_limit/session_limit.css").read_text()
SCRIPT = "".join(
    (HERE / "static/session_limit" / name).read_text()
    for name in ("watch.js", "play.js")
)
# Mail programs ignore style sheets.
NAMES = sorted(
    path.relative_to(TEMPLATES).as_posix()
    for path in (TEMPLATES / "session_limit").rglob("*.html")
    if path.parent.name != "mail"
)
SOURCES = {name: (TEMPLATES / name).read_text() for name in NAMES}
TOLD = Message(
    heading="You're signed out here",
    text="Your account was signed in on a phone.",
    steps=frozenset(Step),
)


def test_the_templates_were_found():
    assert "session_limit/ended.html" in NAMES
    assert len(NAMES) > 10


@pytest.mark.parametrize("name", NAMES)
def test_a_strict_content_security_policy_has_nothing_to_object_to(name):
    inline = r"<style|<script(?! type=\"module\" src=)|\sstyle=|\son\w+=|javascript:"
    assert not re.search(inline, SOURCES[name])
    assert not re.search(r"https?://|data:", SOURCES[name])


def test_the_style_loads_nothing():
    assert "url(" not in STYLE
    assert "@import" not in STYLE


def test_every_class_has_a_style_and_every_style_a_class():
    used = set()
    for source in SOURCES.values():
        for names in re.findall(r'class="([^"]*)"', re.sub(r"{%.*?%}", " ", source)):
            used |= set(names.split())
        used |= set(re.findall(r"{% block kind %}([\w-]+)", source))
    for names in re.findall(r'className:.*?"([^"]*)"', SCRIPT):
        used |= set(names.split())
    styled = set(re.findall(r"\.([a-z][\w-]*)", re.sub(r"/\*.*?\*/", "", STYLE)))
    # Projects may style these two, which need no style of ours.
    assert used - styled == {f"session-limit-{name}" for name in ("text", "kept")}
    # Django's own forms use this class.
    assert styled - used == {"errorlist"}


@pytest.mark.parametrize("name", ["watch", "play"])
def test_the_script_declares_the_attributes_that_its_tag_writes(name):
    """The types let tsc check each use of an attribute."""
    written = re.findall(
        r"data-session-limit-([\w-]+)=", SOURCES[f"session_limit/tags/{name}.html"]
    )
    script = (HERE / f"static/session_limit/{name}.js").read_text()
    declared = re.findall(r"sessionLimit(\w+): string", script)
    names = ("".join(map(str.capitalize, each.split("-"))) for each in written)
    assert sorted(declared) == sorted(names)


def test_nothing_outside_our_pages_is_styled():
    rules = re.sub(r"/\*.*?\*/|@[^{;]*(?={)", "", STYLE, flags=re.DOTALL)
    for selectors in re.findall(r"([^{}]+){", rules):
        for selector in filter(None, map(str.strip, selectors.split(","))):
            assert selector.startswith(".session-limit"), selector


def test_left_and_right_are_the_readers():
    physical = (
        r"(margin|padding|border)-(left|right|top|bottom)\b|text-align: (left|right)"
    )
    assert not re.search(physical, STYLE)


@pytest.mark.parametrize(
    ("language", "direction"), [("en", "ltr"), ("ar", "rtl"), ("de", "ltr")]
)
def test_the_page_says_its_language_and_its_direction(language, direction):
    with translation.override(language):
        page = render_to_string("session_limit/ended.html", {"told": TOLD})
    assert f'<html lang="{language}" dir="{direction}">' in page
    assert page.count("<h1") == 1
    assert "<title>You&#x27;re signed out here</title>" in page


def test_a_base_of_the_projects_own(settings, tmp_path):
    """A base of one line puts every page into the project's layout."""
    (tmp_path / "session_limit").mkdir()
    (tmp_path / "session_limit/base.html").write_text('{% extends "site.html" %}')
    title = "{% block title %}{% endblock %}"
    content = "{% block content %}{% endblock %}"
    (tmp_path / "site.html").write_text(f"<p>Ours</p><title>{title}</title>{content}")
    [django] = settings.TEMPLATES
    settings.TEMPLATES = [{**django, "DIRS": [tmp_path]}]
    page = engines["django"].get_template("session_limit/ended.html")
    page = page.render({"told": TOLD})
    assert page.startswith("<p>Ours</p><title>You&#x27;re signed out here</title>")
    assert '<div class="session-limit ' in page
    assert "session_limit.css" in page
    assert "<html" not in page


def test_what_was_written_is_shown_as_it_was():
    text = "</textarea><script>\n\n  Two words and some more to fill it."
    page = render_to_string(
        "session_limit/ended.html", {"told": TOLD, "kept": [("<b>", text), ("x", '"')]}
    )
    assert "<script>" not in page
    assert "<bdi>&lt;b&gt;</bdi>" in page
    assert "readonly>\n&lt;/textarea&gt;&lt;script&gt;\n\n  Two" in page
    assert 'value="&quot;" readonly' in page


@pytest.mark.parametrize("text", ["Row 1\nRow 2", "一行目\r\n二行目", "一" * 61])
def test_what_has_lines_keeps_them(text):
    """
    An input would remove the line breaks, and some languages put no spaces between
    words.
    """
    page = render_to_string(
        "session_limit/ended.html", {"told": TOLD, "kept": [("text", text)]}
    )
    assert f"readonly>\n{text}</textarea>" in page
