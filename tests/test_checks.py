from __future__ import annotations

import re
from datetime import timedelta
from enum import IntEnum
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.base_session import AbstractBaseSession
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.checks import Error, Tags, run_checks
from django.core.checks.registry import registry
from django.test import override_settings
from django.urls import reverse_lazy

from session_limit import checks
from session_limit.middleware import SessionLimitMiddleware
from session_limit.policy import AtLimit, Displace
from session_limit.rules import Rules

ROOT = Path(__file__).resolve().parent.parent

SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
OURS = "session_limit.middleware.SessionLimitMiddleware"
OTHER = "django.middleware.common.CommonMiddleware"


def ids(check):
    messages = list(check())
    # What is wrong, and what to do about it.
    assert all(message.msg and message.hint for message in messages)
    return [message.id.removeprefix("session_limit.") for message in messages]


def the_message(check):
    (message,) = check()
    return message


def test_a_project_set_up_as_the_readme_says_hears_nothing():
    assert run_checks(tags=[checks.TAG]) == []


def test_all_checks_are_registered():
    registered = {check for check in registry.get_checks() if checks.TAG in check.tags}
    assert registered == {
        checks.check_settings,
        checks.check_middleware,
        checks.check_apps,
        checks.check_databases,
        checks.check_urls,
    }
    assert Tags.urls in checks.check_urls.tags


# Settings


class GoodRules(Rules):
    pass


class NoRules:
    pass


NO_DURATIONS = [0, -1, True, "60", float("nan"), float("inf"), 10**20, 1e-9, [60]]
NO_DURATIONS += [timedelta(), timedelta(seconds=-1)]


def wrong(id_, name, values):
    return [(id_, f"SESSION_LIMIT{name}", value) for value in values]


@pytest.mark.parametrize(
    ("id_", "name", "value"),
    [
        *wrong("E001", "", ["1", -1, 1.5, True, False, [1]]),
        *wrong("E002", "", [0]),
        *wrong("E003", "_AT_LIMIT", ["ask", "Deny", "", None, ["deny"], True]),
        *wrong("E004", "_DISPLACE", ["newest", None, AtLimit.DENY, {}]),
        *wrong("E005", "_RULES", [Rules, Rules(), None, ["a.b"]]),
        *wrong("E006", "_RULES", [f"{__name__}.Missing", "nowhere.Rules", "Rules", ""]),
        *wrong("E007", "_RULES", [f"{__name__}.NoRules", f"{__name__}.wrong"]),
        *wrong("E008", "_TOUCH_INTERVAL", [None, *NO_DURATIONS]),
        *wrong("E009", "_IDLE_TIMEOUT", NO_DURATIONS),
        *wrong("E010", "_ABSOLUTE_TIMEOUT", NO_DURATIONS),
        *wrong("E011", "_STORE_ADDRESS", [None, "hmac", "", False]),
        *wrong("E012", "_TRUSTED_PROXIES", [None, -1, "1", True, 1.0]),
        *wrong("E013", "_RETENTION", [None, *NO_DURATIONS]),
        *wrong("E014", "_SECURE_ACCOUNT_URL", [1, b"/", ["/"], False]),
        *wrong("W015", "_LIMIT", [1]),
    ],
)
def test_a_wrong_value_is_told(id_, name, value):
    with override_settings(**{name: value}):
        assert ids(checks.check_settings) == [id_]
        assert name in the_message(checks.check_settings).msg


DURATIONS = [1, 0.5, timedelta(microseconds=1), timedelta(days=9)]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("", [1, 1_000, None]),
        ("_AT_LIMIT", [*AtLimit, "displace", "deny", "observe"]),
        ("_DISPLACE", [*Displace, "least_recent", "oldest", "all"]),
        ("_RULES", ["session_limit.rules.Rules", f"{__name__}.GoodRules"]),
        ("_TOUCH_INTERVAL", DURATIONS),
        ("_IDLE_TIMEOUT", [None, *DURATIONS]),
        ("_ABSOLUTE_TIMEOUT", [None, *DURATIONS]),
        ("_STORE_ADDRESS", ["none", "truncated", "full"]),
        ("_TRUSTED_PROXIES", [0, 1, 3]),
        ("_RETENTION", DURATIONS),
        ("_SECURE_ACCOUNT_URL", [None, "/secure/", reverse_lazy("not_there")]),
    ],
)
def test_a_right_value_is_not(name, values):
    for value in values:
        with override_settings(**{f"SESSION_LIMIT{name}": value}):
            assert ids(checks.check_settings) == []


@override_settings(SESSION_LIMIT=0)
def test_a_limit_of_zero_is_told_what_no_limit_is():
    message = the_message(checks.check_settings)
    assert "nobody could sign in" in message.msg
    assert "None is no limit" in message.hint


@override_settings(SESSION_LIMIT_RULES="nowhere.Rules")
def test_rules_that_cannot_be_imported_say_why():
    assert "No module named 'nowhere'" in the_message(checks.check_settings).msg


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("SESSION_LIMIT_AT_LIMITS", "SESSION_LIMIT_AT_LIMIT"),
        ("SESSION_LIMIT_TOUCH", "SESSION_LIMIT_TOUCH_INTERVAL"),
        ("SESSION_LIMIT_IDLE", "SESSION_LIMIT_IDLE_TIMEOUT"),
        ("SESSION_LIMIT_RULE", "SESSION_LIMIT_RULES"),
        ("SESSION_LIMIT_PROXIES", "SESSION_LIMIT_TRUSTED_PROXIES"),
    ],
)
def test_a_name_that_is_no_setting_is_told_the_nearest(typo, meant):
    with override_settings(**{typo: 1}):
        assert f"Did you mean {meant}?" == the_message(checks.check_settings).hint


@override_settings(SESSION_LIMITED=1, ACCOUNT_SESSION_LIMIT_X=1, SESSION_LIMIT_=1)
def test_other_peoples_settings_are_left_alone():
    assert ids(checks.check_settings) == ["W015"]
    assert the_message(checks.check_settings).msg.startswith("SESSION_LIMIT_ is")


@override_settings(
    SESSION_LIMIT="3", SESSION_LIMIT_RETENTION=None, SESSION_LIMIT_NOTHING=1
)
def test_everything_that_is_wrong_is_told_at_once():
    assert ids(checks.check_settings) == ["E001", "E013", "W015"]


# Middleware


class OwnSessions(SessionMiddleware):
    pass


class OwnSessionLimit(SessionLimitMiddleware):
    pass


def function_middleware(get_response):
    return get_response


OWN_SESSIONS = f"{__name__}.OwnSessions"
OWN_SESSION_LIMIT = f"{__name__}.OwnSessionLimit"
FUNCTION = f"{__name__}.function_middleware"


@pytest.mark.parametrize(
    ("middleware", "expected"),
    [
        ([SESSIONS, OURS], []),
        ([OTHER, FUNCTION, SESSIONS, OURS, OTHER, FUNCTION], []),
        ([OWN_SESSIONS, OWN_SESSION_LIMIT], []),
        ([SESSIONS, OWN_SESSION_LIMIT], []),
        ([], ["E101"]),
        ([SESSIONS, OTHER], ["E101"]),
        ([SESSIONS, FUNCTION], ["E101"]),
        ([SESSIONS, "nowhere.SessionLimitMiddleware"], ["E101"]),
        ([SESSIONS, OURS, OURS], ["E102"]),
        ([SESSIONS, OURS, OTHER, OWN_SESSION_LIMIT], ["E102"]),
        ([SESSIONS, OTHER, OURS], ["E103"]),
        ([SESSIONS, FUNCTION, OURS], ["E103"]),
        ([SESSIONS, "nowhere.Middleware", OURS], ["E103"]),
        ([OURS, SESSIONS], ["E103"]),
        # What wraps around to the last one would look right.
        ([OURS, OTHER, SESSIONS], ["E103"]),
        ([OTHER, OURS], ["E103"]),
        ([OURS], ["E103"]),
        ([SESSIONS, OTHER, OURS, OURS], ["E102", "E103"]),
    ],
)
def test_middleware(middleware, expected):
    with override_settings(MIDDLEWARE=middleware):
        assert ids(checks.check_middleware) == expected


# Apps

AUTH = ["django.contrib.contenttypes", "django.contrib.auth"]
CACHE_ENGINE = "django.contrib.sessions.backends.cache"


class OtherSession(AbstractBaseSession):
    class Meta:
        app_label = "session_limit"
        managed = False


# The engines below, each a module as SESSION_ENGINE names it.
OTHER_ENGINE = SimpleNamespace(
    SessionStore=type(
        "SessionStore",
        (SessionStore,),
        {"get_model_class": classmethod(lambda cls: OtherSession)},
    )
)
