from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from session_limit.conf import NewSignIn, Settings, conf
from session_limit.policy import AtLimit, Displace
from session_limit.rules import Rules, get_rules
from session_limit.setting_kinds import SETTINGS

DOCS = Path(__file__).resolve().parent.parent / "docs" / "reference" / "settings.md"

# Each property's docstring contains the name of its setting.
PROPERTIES = {
    name: re.search(r"``(SESSION_LIMIT\w*)``", value.__doc__)[1]
    for name, value in vars(Settings).items()
    if isinstance(value, property)
}


class OtherRules(Rules):
    """A test below names this class in a setting."""


@pytest.mark.parametrize(
    ("name", "default", "given", "value"),
    [
        ("limit", 1, 3, 3),
        ("limit", 1, None, None),
        ("at_limit", AtLimit.DISPLACE, "deny", AtLimit.DENY),
        ("at_limit", AtLimit.DISPLACE, AtLimit.OBSERVE, AtLimit.OBSERVE),
        ("displace", Displace.LEAST_RECENT, "oldest", Displace.OLDEST),
        ("play_limit", None, 2, 2),
        ("play_at_limit", AtLimit.DISPLACE, "ask", AtLimit.ASK),
        ("play_cooldown", timedelta(), 30, timedelta(seconds=30)),
        ("touch_interval", timedelta(minutes=1), 5, timedelta(seconds=5)),
        (
            "touch_interval",
            timedelta(minutes=1),
            timedelta(hours=1),
            timedelta(hours=1),
        ),
        ("idle_timeout", None, 0.5, timedelta(milliseconds=500)),
        ("idle_timeout", None, timedelta(minutes=15), timedelta(minutes=15)),
        ("absolute_timeout", None, 43_200, timedelta(hours=12)),
        ("absolute_timeout", None, timedelta(hours=12), timedelta(hours=12)),
        ("store_address", "truncated", "none", "none"),
        ("trusted_proxies", 0, 2, 2),
        (
            "device",
            "session_limit.client.describe_device",
            "tests.agents.name_device",
            "tests.agents.name_device",
        ),
        ("retention", timedelta(days=30), 86_400, timedelta(days=1)),
        ("retention", timedelta(days=30), timedelta(days=365), timedelta(days=365)),
        ("secure_account_url", None, "/secure/", "/secure/"),
        ("support_url", None, "/help/", "/help/"),
        ("reauthentication_age", timedelta(minutes=15), 60, timedelta(minutes=1)),
        ("new_sign_in", NewSignIn.MESSAGE, "mail", NewSignIn.MAIL),
    ],
)
def test_a_setting_has_a_default_and_is_read_when_it_is_used(
    name, default, given, value
):
    assert getattr(conf, name) == default
    with override_settings(**{PROPERTIES[name]: given}):
        assert getattr(conf, name) == value
        assert type(getattr(conf, name)) is type(value)
    assert getattr(conf, name) == default


def test_plays_are_used_where_their_limit_is_set():
    assert not conf.uses_plays()
    with override_settings(SESSION_LIMIT_PLAYS=None):
        assert conf.uses_plays()


def test_rules_are_one_instance_of_the_class_that_is_named():
    assert type(get_rules()) is Rules
    assert get_rules() is get_rules()
    with override_settings(SESSION_LIMIT_RULES=f"{__name__}.OtherRules"):
        assert type(get_rules()) is OtherRules
    assert type(get_rules()) is Rules


@pytest.mark.parametrize("name", ["AT_LIMIT", "DISPLACE"])
def test_a_word_that_is_no_choice_is_an_error_where_it_is_used(name):
    with (
        override_settings(**{f"SESSION_LIMIT_{name}": "nonsense"}),
        pytest.raises(ImproperlyConfigured, match=f"{name} must be one of .*nonsense"),
    ):
        getattr(conf, name.lower())


@pytest.mark.parametrize("name", [each for each in PROPERTIES if each != "bus"])
def test_a_server_that_runs_no_checks_names_the_setting_that_is_wrong(name):
    setting = PROPERTIES[name]
    with (
        override_settings(**{setting: [1]}),
        pytest.raises(ImproperlyConfigured, match=rf"^{setting} must be .*not \[1\]\."),
    ):
        getattr(conf, name)


def test_the_error_about_a_bus_quotes_no_password():
    with (
        override_settings(SESSION_LIMIT_BUS={"URL": "redis://:secret@127.0.0.1"}),
        pytest.raises(ImproperlyConfigured, match=r"^SESSION_LIMIT_BUS must") as raised,
    ):
        conf.bus  # noqa: B018
    assert "secret" not in str(raised.value)


def test_every_setting_is_checked():
    assert sorted(SETTINGS) == sorted(PROPERTIES.values())


def documented():
    """
    Return the settings on the reference page, with the default that it gives for each.
    """
    found = re.findall(
        r"^## `(\w+)`\n\nDefault: `(.+)`$", DOCS.read_text(), re.MULTILINE
    )
    # The page writes the defaults as a project would.
    return [(name, eval(default, {"timedelta": timedelta})) for name, default in found]  # noqa: S307


def test_the_page_lists_exactly_the_settings():
    headings = re.findall(r"^## (.*)$", DOCS.read_text(), re.MULTILINE)
    assert [heading.strip("`") for heading in headings] == list(PROPERTIES.values())
    assert [name for name, _ in documented()] == list(PROPERTIES.values())


@pytest.mark.parametrize(("name", "default"), documented())
def test_the_page_says_what_the_default_is(name, default):
    attribute = next(key for key, value in PROPERTIES.items() if value == name)
    expected = getattr(conf, attribute)
    with override_settings(**{name: default}):
        assert getattr(conf, attribute) == expected


@pytest.mark.parametrize("none", [0, 0.0, timedelta()])
def test_no_time_works_although_a_check_reports_it(settings, none):
    """With an age of 0, the password is asked for each time."""
    settings.SESSION_LIMIT_REAUTHENTICATION_AGE = none
    assert conf.reauthentication_age == timedelta()
    settings.SESSION_LIMIT_RETENTION = False
    with pytest.raises(ImproperlyConfigured, match="SESSION_LIMIT_RETENTION must be"):
        _ = conf.retention
