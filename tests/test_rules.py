from __future__ import annotations

import functools
import re
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.http import HttpRequest
from django.test import Client, override_settings
from django.urls import ResolverMatch, resolve
from hijack.views import AcquireUserView, ReleaseUserView

from session_limit.policy import AtLimit
from session_limit.rules import PerDeviceClass, Rules, get_rules

PAGE = Path(__file__).resolve().parent.parent / "docs" / "how-to" / "rules.md"


def examples():
    """Return what the page's Python defines, as a project's own module would."""
    found = {}
    fence = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    for block in fence.findall(PAGE.read_text()):
        if "class " in block:
            exec(block, found)  # noqa: S102
        elif block.lstrip().startswith("def exempt("):
            exec(f"class ExemptingRules(Rules):\n{block}", found)  # noqa: S102
    return found


EXAMPLES = examples()
ShopRules = EXAMPLES["ShopRules"]
OnePhoneOneComputer = EXAMPLES["OnePhoneOneComputer"]
ExemptingRules = EXAMPLES["ExemptingRules"]

SOLO = SimpleNamespace(username="ada", is_staff=False, plan="solo")
FAMILY = SimpleNamespace(username="bob", is_staff=False, plan="family")
STAFF = SimpleNamespace(username="eve", is_staff=True, plan="solo")
MONITORING = SimpleNamespace(username="monitoring", is_staff=False, plan="solo")


def request_with(user_agent):
    request = HttpRequest()
    request.META["HTTP_USER_AGENT"] = user_agent
    return request


IPHONE = request_with("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X)")
IPAD = request_with("Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X)")
WINDOWS = request_with("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Firefox/145.0")


def test_without_rules_of_its_own_a_project_gets_what_its_settings_say():
    rules = Rules()
    assert rules.limit(SOLO, "") == 1
    assert rules.at_limit(SOLO, "") is AtLimit.DISPLACE
    assert rules.scope(SOLO, IPHONE) == ""
    assert rules.exempt(SOLO, IPHONE) is False
    assert rules.idle_timeout(SOLO) is None
    assert rules.absolute_timeout(SOLO) is None


@override_settings(
    SESSION_LIMIT=None,
    SESSION_LIMIT_AT_LIMIT="deny",
    SESSION_LIMIT_IDLE_TIMEOUT=900,
    SESSION_LIMIT_ABSOLUTE_TIMEOUT=timedelta(hours=12),
)
def test_default_rules_follow_the_settings():
    rules = Rules()
    assert rules.limit(SOLO, "") is None
    assert rules.at_limit(SOLO, "") is AtLimit.DENY
    assert rules.idle_timeout(SOLO) == timedelta(minutes=15)
    assert rules.absolute_timeout(SOLO) == timedelta(hours=12)


@override_settings(SESSION_LIMIT_RULES=f"{__name__}.ShopRules")
def test_a_project_limits_by_plan():
    limits = [get_rules().limit(user, "") for user in (SOLO, FAMILY, STAFF)]
    assert limits == [1, 5, None]
    # A method that a subclass leaves alone follows the settings.
    assert get_rules().scope(SOLO, IPHONE) == ""
    with override_settings(SESSION_LIMIT_AT_LIMIT="deny"):
        assert get_rules().at_limit(SOLO, "") is AtLimit.DENY


@override_settings(SESSION_LIMIT_RULES=f"{__name__}.OnePhoneOneComputer")
def test_a_project_counts_each_class_of_device_by_itself():
    scopes = [get_rules().scope(SOLO, request) for request in (IPHONE, IPAD, WINDOWS)]
    assert scopes == ["handheld", "handheld", "computer"]
    with override_settings(SESSION_LIMIT=5):
        assert get_rules().limit(SOLO, "handheld") == 1


def test_the_ready_made_rules_count_each_class_by_itself():
    requests = (IPHONE, IPAD, WINDOWS, request_with("curl/8.14.1"))
    scopes = [PerDeviceClass().scope(SOLO, request) for request in requests]
    assert scopes == ["phone", "tablet", "computer", "other"]
    with override_settings(SESSION_LIMIT=5):
        assert PerDeviceClass().limit(SOLO, "phone") == 5


@override_settings(SESSION_LIMIT_DEVICE="tests.agents.name_device")
def test_they_count_the_classes_that_the_project_gives():
    assert PerDeviceClass().scope(SOLO, WINDOWS) == "phone"


@pytest.mark.django_db
@override_settings(SESSION_LIMIT_RULES=f"{__name__}.OnePhoneOneComputer")
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
    browsers.append(sign_in(IPAD))
    assert [is_signed_in(browser) for browser in browsers] == [False, True, True]


def at(view):
    request = HttpRequest()
    request.resolver_match = ResolverMatch(view, (), {})
    return request


def test_an_administrator_who_signs_in_as_somebody_is_exempt():
    class OurAcquireUserView(AcquireUserView):
        pass

    for view in (AcquireUserView.as_view(), OurAcquireUserView.as_view()):
        assert Rules().exempt(SOLO, at(view))
        assert ExemptingRules().exempt(SOLO, at(view))


def test_coming_back_from_that_is_a_sign_in_like_any_other():
    assert not Rules().exempt(SOLO, at(ReleaseUserView.as_view()))


def test_a_project_exempts_an_account_of_its_own():
    assert ExemptingRules().exempt(MONITORING, HttpRequest())
    assert not ExemptingRules().exempt(SOLO, HttpRequest())


def test_every_other_view_is_limited():
    request = HttpRequest()
    for address in ("/login/", "/alogin/", "/admin/login/"):
        request.resolver_match = resolve(address)
        assert not Rules().exempt(SOLO, request)


def test_a_view_without_a_name_is_limited():
    class CallableView:
        def __call__(self, request):
            """Do nothing."""

    for view in (functools.partial(at, None), CallableView()):
        assert not Rules().exempt(SOLO, at(view))


def test_a_view_that_only_sounds_like_an_impersonation_is_limited():
    def view(request):
        raise AssertionError

    view.__module__ = "hijackers.views"
    assert not Rules().exempt(SOLO, at(view))
