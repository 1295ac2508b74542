"""Settings with a name that nothing reads."""

from __future__ import annotations

import pytest
from django.test import override_settings

from session_limit.checks.settings import check_names
from tests.mistakes.messages import said, the_message


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("SESSION_LIMITS", "SESSION_LIMIT"),
        ("SESION_LIMIT", "SESSION_LIMIT"),
        ("SESSIONS_LIMIT", "SESSION_LIMIT"),
        ("SESSION_LMIT", "SESSION_LIMIT"),
        ("SESSION_LIMTI", "SESSION_LIMIT"),
        ("SESSIONLIMIT", "SESSION_LIMIT"),
        ("SESSIONS_LIMIT_RULES", "SESSION_LIMIT_RULES"),
        ("SESSION_LIMITS_AT_LIMIT", "SESSION_LIMIT_AT_LIMIT"),
        ("SESION_LIMIT_IDLE_TIMEOUT", "SESSION_LIMIT_IDLE_TIMEOUT"),
        ("SESSION_LIMT_DISPLACE", "SESSION_LIMIT_DISPLACE"),
    ],
)
def test_a_misspelt_setting_is_told_which_was_meant(typo, meant):
    with override_settings(**{typo: 3}):
        text = the_message(check_names, "W035")
    assert text.startswith(f"{typo} resembles {meant},")
    assert f"Did you mean {meant}?" in text


@pytest.mark.parametrize(
    "name",
    [
        "SESSION_LIMITER",
        "SESSION_LIST",
        "SESSION_IDLE_TIMEOUT",
        "SESSION_TIMEOUT",
        "SESSION_SECURITY_WARN_AFTER",
        "MAX_SESSION_LIMIT",
        "USER_SESSIONS_LIMIT",
        "PERMISSION_LIMIT",
        "SESSION_EXPIRE_SECONDS",
        "SESSION_REDIS",
        "UPLOAD_LIMIT",
    ],
)
def test_the_setting_of_another_app_is_left_alone(name):
    with override_settings(**{name: 3}):
        assert said(check_names) == {}


def test_what_django_itself_defines_is_left_alone():
    assert said(check_names) == {}
