"""The package's checks never raise, whatever the settings are."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.checks.registry import registry
from django.db import connections, router
from django.test import override_settings
from django.urls import reverse_lazy

from session_limit import checks
from session_limit.checks import databases, pruning
from session_limit.setting_kinds import SETTINGS
from tests.drivers import library
from tests.mistakes.messages import the_message

ABSURD = [
    None,
    True,
    0,
    -1,
    3.5,
    float("nan"),
    10**30,
    "",
    "3",
    "nowhere",
    "nowhere.at.all",
    "tests.mistakes.test_any_setting.Raises",
    "tests.views",
    "a\0b",
    "/" * 50,
    "é://:secret@[::1",
    b"bytes",
    [],
    [None],
    [[]],
    ["nowhere.at.all"],
    {},
    {"default": None},
    {"BACKEND": None},
    {"BACKEND": "session_limit.bus.redis.RedisBus", "OPTIONS": {"url": "é://["}},
    {"BACKEND": "session_limit.bus.redis.RedisBus", "OPTIONS": {"url": 3}},
    {
        "BACKEND": "session_limit.bus.postgres.PostgresBus",
        "OPTIONS": {"using": "nowhere"},
    },
    (),
    object(),
    timedelta(),
    timedelta.max,
    timedelta.min,
    lambda: 1 / 0,
    int,
    set(),
]
DJANGOS = [
    "ASGI_APPLICATION",
    "AUTHENTICATION_BACKENDS",
    "CSRF_COOKIE_NAME",
    "LANGUAGE_CODE",
    "LANGUAGE_COOKIE_NAME",
    "LOGIN_REDIRECT_URL",
    "LOGIN_URL",
    "MESSAGE_STORAGE",
    "MIDDLEWARE",
    "ROOT_URLCONF",
    "SESSION_CACHE_ALIAS",
    "SESSION_COOKIE_AGE",
    "SESSION_COOKIE_DOMAIN",
    "SESSION_COOKIE_HTTPONLY",
    "SESSION_COOKIE_NAME",
    "SESSION_COOKIE_PATH",
    "SESSION_COOKIE_SAMESITE",
    "SESSION_COOKIE_SECURE",
    "SESSION_ENGINE",
    "SESSION_SERIALIZER",
    "TEMPLATES",
    "USE_TZ",
    "WSGI_APPLICATION",
]


class Raises:
    def __init__(self, *args, **kwargs):
        raise ZeroDivisionError


# These take most of the time, and read other settings than the ones they are named for.
SLOW = {checks.settings.check_names, checks.templates.check_templates}


def run(databases=None, leave_out=()):
    """Run all checks of the package, and read what they say."""
    every = registry.get_checks(include_deployment_checks=True)
    ours = {check for check in every if checks.TAG in check.tags}.difference(leave_out)
    messages = [
        message
        for check in ours
        for message in check(app_configs=None, databases=databases)
    ]
    return [str(message) for message in messages]


@pytest.mark.parametrize("name", sorted(SETTINGS) + DJANGOS)
@pytest.mark.filterwarnings("ignore")  # Django's own, about such values
def test_no_setting_makes_a_check_raise(name):
    lazy = (
        [reverse_lazy("nowhere")] if name.endswith("_URL") or name in SETTINGS else []
    )
    for value in ABSURD + lazy:
        with override_settings(**{name: value}):
            run(leave_out=() if name == "TEMPLATES" else SLOW)


@pytest.mark.filterwarnings("ignore")
def test_caches_and_databases_that_are_absurd():
    for value in ABSURD:
        if isinstance(value, dict):
            engine = "django.contrib.sessions.backends.cache"
            with override_settings(CACHES=value, SESSION_ENGINE=engine):
                run()


class Router:
    def __init__(self, answer):
        self.answer = answer

    def db_for_write(self, model, **hints):
        return self.answer

    db_for_read = db_for_write


class Failing:
    def db_for_write(self, model, **hints):
        raise LookupError("no tenant")


@pytest.mark.parametrize(
    ("ours", "why"),
    [
        (Router("nowhere"), 'choose the database "nowhere"'),
        (Router("registry"), 'choose the database "registry"'),
        (Failing(), "raise an error (LookupError: no tenant)"),
    ],
)
def test_a_router_that_names_no_database(ours, why):
    with override_settings(DATABASE_ROUTERS=[ours]):
        text = the_message(checks.routers.check_routers, "E316")
        assert why in text
        assert "default" in text
        # Nor do the checks that would connect.
        texts = run(databases=list(connections))
    assert any("session_limit.E316" in each for each in texts)


@pytest.mark.parametrize("value", [["nowhere.Router"], 3])
def test_routers_that_cannot_be_imported(monkeypatch, value):
    monkeypatch.setattr(router, "_routers", value)
    monkeypatch.delitem(vars(router), "routers", raising=False)
    try:
        run(databases=list(connections))
        assert "raise an error (" in the_message(checks.routers.check_routers, "E316")
    finally:
        vars(router).pop("routers", None)


@pytest.mark.parametrize("ours", [Router("default"), Router(None)])
def test_a_router_that_names_a_database(ours):
    with override_settings(DATABASE_ROUTERS=[ours]):
        assert list(checks.routers.check_routers()) == []


@override_settings(DATABASE_ROUTERS=[Router("nowhere")])
def test_checks_of_a_database_that_is_not_there_say_nothing():
    named = ["default", "nowhere"]
    assert list(databases.check_databases()) == []
    assert list(databases.check_stalls()) == []
    assert list(databases.check_servers(databases=named)) == []
    assert list(pruning.check_pruning(databases=named)) == []


@override_settings(
    SESSION_LIMIT_BUS={
        "BACKEND": "session_limit.bus.postgres.PostgresBus",
        "OPTIONS": {"using": "nowhere"},
    }
)
def test_a_bus_in_a_database_that_is_not_there():
    library("psycopg")
    text = the_message(checks.settings.check_settings, "E038")
    assert '"nowhere"' in text


@override_settings(
    SESSION_LIMIT_BUS={"BACKEND": "session_limit.bus.redis.RedisBus", "URL": "a:secret"}
)
def test_what_is_wrong_with_a_bus_quotes_no_password():
    assert "secret" not in the_message(checks.settings.check_settings, "E021")
