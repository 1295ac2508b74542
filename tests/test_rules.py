from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.http import HttpRequest
from django.test import Client, override_settings
from django.urls import ResolverMatch, include, path, resolve

from session_limit.client import describe
from session_limit.conf import conf
from session_limit.policy import AtLimit
from session_limit.rules import Rules

SESSIONS_OF_PLAN = {"free": 1, "family": 5}


class PlanRules(Rules):
    """As many sessions as the account's plan includes; staff have no limit."""

    def limit(self, user, scope):
        return None if user.is_staff else SESSIONS_OF_PLAN[user.plan]

    def at_limit(self, user, scope):
        return "deny" if user.plan == "free" else "displace"

    def idle_timeout(self, user):
        return timedelta(minutes=15) if user.is_staff else None


class OneOfEachRules(Rules):
    """One phone, one tablet, one computer and one of whatever else there is."""

    def scope(self, user, request):
        return describe(request).device_class


FREE = SimpleNamespace(is_staff=False, plan="free")
FAMILY = SimpleNamespace(is_staff=False, plan="family")
STAFF = SimpleNamespace(is_staff=True, plan="family")

urlpatterns = [path("hijack/", include("hijack.urls"))]


def request_with(user_agent):
    request = HttpRequest()
    request.META["HTTP_USER_AGENT"] = user_agent
    return request


IPHONE = request_with("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X)")
PIXEL = request_with("Mozilla/5.0 (Android 15; Mobile; rv:145.0) Firefox/145.0")
WINDOWS = request_with("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Firefox/145.0")


def test_without_rules_of_its_own_a_project_gets_what_its_settings_say():
    rules = Rules()
    assert rules.limit(FREE, "") == 1
    assert rules.at_limit(FREE, "") is AtLimit.DISPLACE
    assert rules.scope(FREE, IPHONE) == ""
    assert rules.exempt(FREE, IPHONE) is False
    assert rules.idle_timeout(FREE) is None
    assert rules.absolute_timeout(FREE) is None


@override_settings(
    SESSION_LIMIT=None,
    SESSION_LIMIT_AT_LIMIT="deny",
    SESSION_LIMIT_IDLE_TIMEOUT=900,
    SESSION_LIMIT_ABSOLUTE_TIMEOUT=timedelta(hours=12),
)
def test_default_rules_follow_the_settings():
    rules = Rules()
    assert rules.limit(FREE, "") is None
    assert rules.at_limit(FREE, "") is AtLimit.DENY
    assert rules.idle_timeout(FREE) == timedelta(minutes=15)
    assert rules.absolute_timeout(FREE) == timedelta(hours=12)


@override_settings(SESSION_LIMIT_RULES=f"{__name__}.PlanRules")
def test_a_project_limits_by_plan():
    assert [conf.rules.limit(user, "") for user in (FREE, FAMILY, STAFF)] == [
        1,
        5,
        None,
    ]
    assert [conf.rules.at_limit(user, "") for user in (FREE, FAMILY)] == [
        AtLimit.DENY,
        AtLimit.DISPLACE,
    ]
    assert conf.rules.idle_timeout(STAFF) == timedelta(minutes=15)
    # What a subclass leaves alone is as the settings say.
    assert conf.rules.scope(FREE, IPHONE) == ""
    with override_settings(SESSION_LIMIT_ABSOLUTE_TIMEOUT=60):
        assert conf.rules.absolute_timeout(FREE) == timedelta(minutes=1)


@override_settings(SESSION_LIMIT_RULES=f"{__name__}.OneOfEachRules")
def test_a_project_counts_each_class_of_device_by_itself():
    scopes = [conf.rules.scope(FREE, request) for request in (IPHONE, PIXEL, WINDOWS)]
    assert scopes == ["phone", "phone", "computer"]
    assert conf.rules.limit(FREE, "phone") == 1


@pytest.mark.django_db
@override_settings(SESSION_LIMIT_RULES=f"{__name__}.OneOfEachRules")
def test_one_phone_and_one_computer(django_user_model):
    django_user_model.objects.create_user("ada", password="secret")

    def sign_in(request):
        browser = Client(headers={"user-agent": request.META["HTTP_USER_AGENT"]})
        browser.post("/login/", {"username": "ada", "password": "secret"})
        return browser

    def is_signed_in(browser):
        return browser.get("/whoami/").json()["user"] == "ada"

    browsers = [sign_in(request) for request in (IPHONE, WINDOWS)]
    assert [is_signed_in(browser) for browser in browsers] == [True, True]
    browsers.append(sign_in(PIXEL))
    assert [is_signed_in(browser) for browser in browsers] == [False, True, True]


@pytest.mark.parametrize("name", ["acquire", "release"])
def test_an_administrator_who_signs_in_as_somebody_is_exempt(name):
    request = HttpRequest()
    request.resolver_match = resolve(f"/hijack/{name}/", urlconf=__name__)
    assert Rules().exempt(FREE, request)


def test_every_other_view_is_limited():
    request = HttpRequest()
    for address in ("/login/", "/alogin/", "/admin/login/"):
        request.resolver_match = resolve(address)
        assert not Rules().exempt(FREE, request)


def test_a_view_that_only_sounds_like_an_impersonation_is_limited():
    def view(request):
        raise AssertionError

    view.__module__ = "hijackers.views"
    request = HttpRequest()
    request.resolver_match = ResolverMatch(view, (), {})
    assert not Rules().exempt(FREE, request)
