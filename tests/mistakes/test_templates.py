"""Layouts and overridden templates that hide what the package's pages say."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from django.template.loaders import app_directories
from django.test import override_settings

from session_limit.checks import templates
from session_limit.checks.templates import check_templates
from tests.mistakes.messages import said, the_message

DJANGO = "django.template.backends.django.DjangoTemplates"


@pytest.fixture
def project(tmp_path):
    """Return a function that gives the project templates of its own."""
    with ExitStack() as stack:

        def project(**files):
            for name, text in files.items():
                # "session_limit__base" is the file session_limit/base.html.
                file = tmp_path / f"{name.replace('__', '/')}.html"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            engine = {"BACKEND": DJANGO, "DIRS": [tmp_path], "APP_DIRS": True}
            stack.enter_context(override_settings(TEMPLATES=[engine]))

        yield project


EXTENDS = '{% extends "base.html" %}'
BODY = "<html><body>{% block body %}{% endblock %}</body></html>"
CONTENT = "<html><body>{% block content %}{% endblock %}</body></html>"


@pytest.mark.parametrize(
    "files",
    [
        {"session_limit__base": EXTENDS, "base": BODY},
        {"session_limit__base": EXTENDS, "base": "<html>No block at all</html>"},
        {"session_limit__base": "<html>{% block main %}{% endblock %}</html>"},
        # Its block is inside another, which the layer between replaces.
        {
            "session_limit__base": '{% extends "section.html" %}',
            "section": EXTENDS + "{% block body %}Section{% endblock %}",
            "base": "{% block body %}{% block content %}{% endblock %}{% endblock %}",
        },
        # A block that no layout above has is not rendered.
        {
            "session_limit__base": EXTENDS + "{% block content %}{% endblock %}",
            "base": BODY,
        },
        {
            "session_limit__base": EXTENDS + "{% block body %}Ours{% endblock %}",
            "base": CONTENT.replace("content", "body"),
        },
        # An included template has blocks of its own.
        {"session_limit__base": '{% include "base.html" %}', "base": CONTENT},
        {"session_limit__page": "{% block content %}Ours{% endblock %}"},
    ],
)
def test_a_layout_without_the_block_is_found_before_anybody_sees_a_blank_page(
    project, files
):
    project(**files)
    text = the_message(check_templates, "E406")
    assert "session_limit/ended.html" in text
    assert "{% block content %}" in text


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"session_limit__base": CONTENT},
        {"session_limit__base": EXTENDS, "base": CONTENT},
        {
            "session_limit__base": EXTENDS
            + "{% block body %}<main>{% block content %}{% endblock %}</main>"
            "{% endblock %}",
            "base": BODY,
        },
        {
            "session_limit__base": '{% extends "section.html" %}',
            "section": EXTENDS + "{% block body %}{{ block.super }}{% endblock %}",
            "base": "{% block body %}{% block content %}{% endblock %}{% endblock %}",
        },
        {
            "session_limit__base": EXTENDS,
            "base": "{% if user %}{% for a in b %}{% block content %}{% endblock %}"
            "{% endfor %}{% endif %}",
        },
        # A project may extend the package's own layout.
        {"session_limit__base": '{% extends "session_limit/base.html" %}'},
        # A request may decide which layout it is.
        {"session_limit__base": "{% extends layout %}"},
        {
            "session_limit__base": '{% extends layout|default:"base.html" %}',
            "base": CONTENT,
        },
        # A page of the project's own needs no layout.
        {f"session_limit__{name}": "Ours" for name in ("ended", "choose")},
        {
            "session_limit__base": BODY,
            **{
                f"session_limit__{name}": '{% extends "session_limit/base.html" %}'
                "{% block body %}Ours{% endblock %}"
                for name in ("ended", "choose", "refused", "sessions")
            },
        },
    ],
)
def test_a_layout_that_shows_the_pages(project, files):
    project(**files)
    assert said(check_templates) == {}


def test_only_the_pages_that_are_empty_are_named(project):
    project(session_limit__base=BODY, session_limit__ended="Ours")
    text = the_message(check_templates, "E406")
    assert "session_limit/choose.html" in text
    assert "session_limit/ended.html" not in text


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"session_limit__ended": "{% if %}"}, "TemplateSyntaxError"),
        ({"session_limit__base": "{% block a %}"}, "TemplateSyntaxError"),
        ({"session_limit__base": '{% extends "nowhere.html" %}'}, "nowhere.html"),
        ({"session_limit__base": "{% load nowhere %}"}, "nowhere"),
        (
            {"session_limit__base": EXTENDS, "base": EXTENDS},
            "TemplateDoesNotExist: base.html",
        ),
    ],
)
def test_a_template_that_cannot_be_used(project, files, why):
    project(**files)
    assert why in the_message(check_templates, "E409")


# Engines


@pytest.mark.parametrize(
    "engines",
    [
        [],
        [{"BACKEND": DJANGO}],
        [{"BACKEND": DJANGO, "APP_DIRS": False, "DIRS": ["/nowhere"]}],
        [
            {
                "BACKEND": DJANGO,
                "OPTIONS": {
                    "loaders": ["django.template.loaders.filesystem.Loader"],
                },
            }
        ],
    ],
)
def test_engines_that_do_not_find_the_pages(engines):
    with override_settings(TEMPLATES=engines):
        assert "APP_DIRS" in the_message(check_templates, "W408")


@pytest.mark.parametrize(
    "engines",
    [
        None,
        3,
        [{}],
        [{"BACKEND": "nowhere.Engine"}],
        [{"BACKEND": DJANGO, "APP_DIRS": True, "OPTIONS": {"loaders": []}}],
    ],
)
def test_engines_that_are_wrong(engines):
    with override_settings(TEMPLATES=engines):
        assert list(said(check_templates)) == ["E409"]


# Templates in an app that is listed too late


@pytest.fixture
def apps_with_templates(tmp_path, monkeypatch):
    """Return a function that adds directories of apps above and below the package's."""

    def apps_with_templates(above=(), below=()):
        made = {"above": above, "below": below}
        for side, names in made.items():
            for name in names:
                file = tmp_path / side / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(CONTENT)
        own = Path(templates.__file__).parents[1] / "templates"
        found = (tmp_path / "above", own, tmp_path / "below")
        for module in (templates, app_directories):
            monkeypatch.setattr(module, "get_app_template_dirs", lambda name: found)
        return tmp_path / "below"

    return apps_with_templates


@pytest.mark.parametrize(
    "name",
    [
        "session_limit/base.html",
        "session_limit/ended.html",
        "session_limit/mail/new_sign_in.txt",
        "admin/session_limit/usersession/account.html",
    ],
)
def test_a_template_that_is_found_too_late(apps_with_templates, name):
    below = apps_with_templates(below=[name])
    with override_settings(TEMPLATES=[{"BACKEND": DJANGO, "APP_DIRS": True}]):
        text = the_message(check_templates, "W407")
    assert text.startswith(f"{below / name} is never used")
    assert "Move the app above session_limit" in text


def test_templates_that_are_found_in_time(apps_with_templates):
    apps_with_templates(
        above=["session_limit/base.html"],
        below=["session_limit/base.html", "session_limit/other.html", "base.html"],
    )
    with override_settings(TEMPLATES=[{"BACKEND": DJANGO, "APP_DIRS": True}]):
        assert said(check_templates) == {}
