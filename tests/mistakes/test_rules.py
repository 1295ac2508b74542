"""Mistakes in a project's subclass of ``Rules``."""

from __future__ import annotations

import functools
import itertools
from abc import ABC, abstractmethod
from contextlib import contextmanager, nullcontext
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.test import override_settings
from django.utils.functional import lazystr

from session_limit.checks.rules import METHODS, check_rules, check_without_effect
from session_limit.rule_answers import ANSWERS
from session_limit.rules import PerDeviceClass, Rules, get_rules
from tests.mistakes.messages import said, the_message

USER = object()
NUMBERS = itertools.count()


def use(monkeypatch, settings, rules):
    """Make ``rules`` the project's class of rules."""
    # Each class has a path of its own, because the instance of a path is cached.
    name = f"Ours{next(NUMBERS)}"
    monkeypatch.setitem(globals(), name, rules)
    settings.SESSION_LIMIT_RULES = f"{__name__}.{name}"
    return f"{__name__}.{name}"


def rules_with(**attributes):
    return type("Ours", (Rules,), attributes)


@pytest.fixture
def ours(monkeypatch, settings):
    return functools.partial(use, monkeypatch, settings)


# Names


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("limits", "limit"),
        ("get_limit", "limit"),
        ("limt", "limit"),
        ("session_limit", "limit"),
        ("at_limits", "at_limit"),
        ("atlimit", "at_limit"),
        ("get_scope", "scope"),
        ("is_exempt", "exempt"),
        ("exempted", "exempt"),
        ("idle_time_out", "idle_timeout"),
        ("idle_timout", "idle_timeout"),
        ("absolut_timeout", "absolute_timeout"),
        ("reauthenticate_url", "reauthentication_url"),
        ("playlimit", "play_limit"),
        ("isFresh", "is_fresh"),
    ],
)
def test_a_method_that_is_never_called_is_told_which_was_meant(ours, typo, meant):
    path = ours(rules_with(**{typo: lambda self, user, scope: 3}))
    text = the_message(check_rules, "W034")
    assert f"{path}.{typo} is not a method of Rules" in text
    assert f"Did you mean {meant}()?" in text


@pytest.mark.parametrize(
    "name",
    ["_limits", "plan_of", "devices", "for_staff", "is_premium", "limited", "timeout"],
)
def test_a_helper_with_a_name_of_its_own_is_left_alone(ours, name):
    ours(rules_with(**{name: lambda self, user: 3}))
    assert said(check_rules) == {}


def test_a_table_named_like_the_method_that_uses_it_is_left_alone(ours):
    ours(rules_with(limits={"solo": 1}, limit=lambda self, user, scope: 1))
    assert said(check_rules) == {}


# Arguments and kinds


def positional(self, user):
    return 1


def without_self(user, scope):
    return 1


def with_a_request(self, user, request, scope):
    return 1


def with_a_keyword(self, user, scope, *, plan):
    return 1


async def asynchronous(self, user, scope):
    return 1


def generator(self, user, scope):
    yield 1


def right(self, user, scope):
    return 1


def with_another_default(self, user, scope="", plan=None):
    return 1


def with_anything(self, *args, **kwargs):
    return 1


def other_names(self, who, where):
    return 1


@staticmethod
def bound_to_nothing(user, scope):
    return 1


@classmethod
def bound_to_the_class(cls, user, scope):
    return 1


@functools.wraps(right)
def wrapped(*args):
    return right(*args)


class Callable:
    def __call__(self, user, scope):
        return 1


@pytest.mark.parametrize(
    ("method", "why"),
    [
        (positional, "takes the arguments (self, user), but is called as limit(user"),
        (without_self, "takes the arguments (user, scope)"),
        (with_a_request, "(self, user, request, scope)"),
        (with_a_keyword, "*, plan"),
        (staticmethod(right), "takes the arguments (self, user, scope)"),
        (classmethod(without_self), "takes the arguments (scope)"),
        (asynchronous, "is asynchronous or a generator"),
        (generator, "is asynchronous or a generator"),
        (property(lambda self: 1), "is a property"),
        (functools.cached_property(lambda self: 1), "is a property"),
        (3, "is not a method, but 3"),
        (None, "is not a method, but None"),
    ],
)
def test_a_method_that_cannot_be_called(ours, method, why):
    path = ours(rules_with(limit=method))
    text = the_message(check_rules, "E033")
    assert f"{path}.limit() {why}" in text or why in text
    assert "Write it as a method: def limit(self, user, scope)." in text


@pytest.mark.parametrize(
    "method",
    [
        right,
        with_another_default,
        with_anything,
        other_names,
        bound_to_nothing,
        bound_to_the_class,
        pytest.param(wrapped, id="wrapped"),
        functools.partialmethod(with_another_default, plan=2),
        lambda self, user, scope: 1,
        Callable(),
    ],
)
def test_a_method_that_can_be_called_is_called(ours, method):
    ours(rules_with(limit=method))
    assert said(check_rules) == {}
    assert get_rules().limit(USER, "") == 1


@pytest.mark.parametrize("rules", [Rules, PerDeviceClass])
def test_the_rules_of_the_package_are_right(ours, rules):
    ours(rules)
    assert said(check_rules) == {}


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_compared(ours, name):
    ours(rules_with(**{name: lambda self: 1}))
    assert f".{name}() takes the arguments (self)" in the_message(check_rules, "E033")


def test_rules_that_want_arguments(ours):
    path = ours(rules_with(__init__=lambda self, plans: None))
    text = the_message(check_rules, "E037")
    assert f"{path} cannot be created without arguments" in text
    assert "plans" in text


def test_rules_that_are_abstract(ours):
    class Abstract(Rules, ABC):
        @abstractmethod
        def plan(self, user): ...

    ours(Abstract)
    assert "does not define plan()" in the_message(check_rules, "E037")


def test_rules_whose_module_fails(settings, monkeypatch):
    def fail(path):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("session_limit.checks.rules.import_string", fail)
    settings.SESSION_LIMIT_RULES = "shop.rules.ShopRules"
    text = the_message(check_rules, "E006")
    assert "division by zero" in text


class InTenant(Rules):
    @contextmanager
    def in_tenant(self, tenant):
        yield

    limit = async_to_sync(asynchronous)

    def after_sign_in(self, request, url):
        return url


def test_decorators_that_make_ordinary_functions(ours):
    ours(InTenant)
    assert said(check_rules) == {}
    with get_rules().in_tenant("schema"):
        pass


# What has no effect


@pytest.mark.parametrize("policy", ["deny", "ask"])
def test_a_policy_without_a_limit(settings, policy):
    settings.SESSION_LIMIT = None
    settings.SESSION_LIMIT_AT_LIMIT = policy
    text = the_message(check_without_effect, "W036")
    assert f'SESSION_LIMIT_AT_LIMIT = "{policy}"' in text
    assert "SESSION_LIMIT is None" in text


def test_a_policy_of_plays_without_a_limit(settings):
    settings.SESSION_LIMIT_PLAYS = None
    settings.SESSION_LIMIT_PLAYS_AT_LIMIT = "deny"
    assert "SESSION_LIMIT_PLAYS is None" in the_message(check_without_effect, "W036")


@pytest.mark.parametrize(
    "values",
    [
        {"SESSION_LIMIT": None},
        {"SESSION_LIMIT": None, "SESSION_LIMIT_AT_LIMIT": "displace"},
        {"SESSION_LIMIT": 2, "SESSION_LIMIT_AT_LIMIT": "deny"},
        {"SESSION_LIMIT_AT_LIMIT": "deny"},
        {"SESSION_LIMIT_PLAYS": 2, "SESSION_LIMIT_PLAYS_AT_LIMIT": "deny"},
        {"SESSION_LIMIT": None, "SESSION_LIMIT_AT_LIMIT": ["deny"]},
    ],
)
def test_a_policy_that_has_an_effect(values):
    with override_settings(**values):
        assert said(check_without_effect) == {}


def test_rules_that_give_the_limit(ours, settings):
    settings.SESSION_LIMIT = None
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    ours(rules_with(limit=right))
    assert said(check_without_effect) == {}


# What only a call can tell

WRONG = {
    "limit": [0, "3", True, 1.5],
    "at_limit": ["kick", None, ["deny"]],
    "scope": [None, 3, "x" * 65],
    "exempt": ["no", b"", lambda: True],
    "play_limit": [0, "3"],
    "play_at_limit": ["pause", 1],
    "play_scope": [None, "x" * 65],
    "idle_timeout": [900, "15 minutes", timedelta(), timedelta(seconds=-1)],
    "absolute_timeout": [900, True, timedelta(hours=-1)],
    "after_sign_in": [None, 3, b"/"],
    "is_activity": ["no", b""],
    "is_fresh": ["yes", b"no"],
    "tenant": [[], {"schema": "a"}],
    "in_tenant": [None, "schema"],
    "reauthentication_url": [3, True],
}


def test_the_answer_of_every_method_is_checked():
    assert sorted(ANSWERS) == sorted(METHODS) == sorted(WRONG)


@pytest.mark.parametrize(
    ("name", "answer"), [(name, answer) for name in WRONG for answer in WRONG[name]]
)
def test_a_wrong_answer_names_the_method_the_value_and_what_is_right(
    ours, name, answer
):
    path = ours(rules_with(**{name: lambda self, *args: answer}))
    with pytest.raises(ImproperlyConfigured) as raised:
        getattr(get_rules(), name)(USER, "")
    text = str(raised.value)
    assert text.startswith(f"{path}.{name}() returned {answer!r}. It must return ")
    assert ANSWERS[name].expected in text
    assert "SESSION_LIMIT_RULES" in text


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("limit", None),
        ("limit", 3),
        ("at_limit", "ask"),
        ("scope", "x" * 64),
        ("exempt", None),
        ("exempt", 0),
        ("exempt", False),
        ("idle_timeout", None),
        ("idle_timeout", timedelta(microseconds=1)),
        ("is_fresh", True),
        ("after_sign_in", ""),
        ("tenant", None),
        ("tenant", "schema"),
        ("in_tenant", nullcontext()),
        ("reauthentication_url", None),
        ("reauthentication_url", lazystr("/sudo/")),
    ],
)
def test_a_right_answer_is_passed_on(ours, name, answer):
    ours(rules_with(**{name: lambda self, *args: answer}))
    assert getattr(get_rules(), name)(USER, "") is answer


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_an_exception_names_the_method_and_keeps_its_type(ours, name):
    def fail(self, *args):
        raise KeyError("gold")

    path = ours(rules_with(**{name: fail}))
    with pytest.raises(KeyError) as raised:
        getattr(get_rules(), name)(USER, HttpRequest())
    assert f"{path}.{name}()" in raised.value.__notes__[0]
    assert "SESSION_LIMIT_RULES" in raised.value.__notes__[0]


@pytest.mark.parametrize("name", sorted(ANSWERS))
@pytest.mark.filterwarnings("error")
def test_an_asynchronous_method_says_so(ours, name):
    path = ours(rules_with(**{name: asynchronous}))
    with pytest.raises(ImproperlyConfigured, match="Define it with def") as raised:
        getattr(get_rules(), name)(USER, "")
    assert str(raised.value).startswith(f"{path}.{name}() is asynchronous")


@pytest.mark.parametrize("value", [3, property(lambda self: 3)])
def test_a_method_that_is_none_is_named_where_no_check_has_run(ours, value):
    path = ours(rules_with(limit=value))
    with pytest.raises(ImproperlyConfigured, match=f"{path}.limit must be a method"):
        get_rules()


@override_settings(SESSION_LIMIT="3")
def test_the_limit_as_text_names_the_setting():
    with pytest.raises(ImproperlyConfigured, match=r"^SESSION_LIMIT must be .* int"):
        get_rules().limit(USER, "")


def test_rules_may_ask_themselves(ours):
    def at_limit(self, user, scope):
        return "deny" if self.limit(user, scope) == 1 else "ask"

    ours(rules_with(at_limit=at_limit))
    assert get_rules().at_limit(USER, "") == "deny"
