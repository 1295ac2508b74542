"""Addresses that lead nowhere, in settings to which the package's pages link."""

from __future__ import annotations

import pytest
from django.contrib.auth.middleware import RemoteUserMiddleware
from django.http import HttpResponse
from django.test import override_settings
from django.urls import include, path, reverse_lazy

from session_limit.checks.addresses import check_links, check_sign_in_page
from tests.mistakes.messages import said, the_message

URL_SETTINGS = ["SESSION_LIMIT_SECURE_ACCOUNT_URL", "SESSION_LIMIT_SUPPORT_URL"]


def page(request, **kwargs):
    return HttpResponse()


urlpatterns = [
    path("", page),
    path("anmelden/", page, name="sign_in"),
    path("de/konto/", page),
    path("members/", include(([path("in", page, name="in")], "members"))),
    path("sessions/", include("session_limit.urls")),
]
pytestmark = pytest.mark.urls(__name__)


class Proxy(RemoteUserMiddleware):
    pass


# The sign-in page


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("/accounts/login/", "leads to no page"),  # the default
        ("/anmelden/x/", "leads to no page"),
        ("/members/", "leads to no page"),
        ("signin", "names no URL"),
        ("member:in", "names no URL"),
        ("nowhere:in", "names no URL"),
        (reverse_lazy("signin"), "names no URL"),
        (None, "is not an address"),
        (3, "is not an address"),
        (["/"], "is not an address"),
    ],
)
def test_a_sign_in_page_that_is_not_there(url, why):
    with override_settings(LOGIN_URL=url):
        text = the_message(check_sign_in_page, "W405")
    assert why in text
    assert "Use here instead" in text


@pytest.mark.parametrize(
    "url",
    [
        "/",
        "/anmelden/",
        "/anmelden/?from=app",
        "/anmelden",  # CommonMiddleware adds the slash
        "sign_in",
        "members:in",
        "/members/in#form",
        reverse_lazy("sign_in"),
        "https://id.example.com/login",
        "//id.example.com/login",
    ],
)
def test_a_sign_in_page_that_is_there(url):
    with override_settings(LOGIN_URL=url):
        assert said(check_sign_in_page) == {}


def test_a_sign_in_page_below_a_language():
    with override_settings(LOGIN_URL="/konto/", LANGUAGE_CODE="de"):
        assert said(check_sign_in_page) == {}
    with override_settings(LOGIN_URL="/konto/", LANGUAGE_CODE="en"):
        assert list(said(check_sign_in_page)) == ["W405"]


@pytest.mark.parametrize(
    "middleware",
    [f"{__name__}.Proxy", "django.contrib.auth.middleware.RemoteUserMiddleware"],
)
def test_a_project_that_signs_people_in_by_itself_needs_no_page(middleware):
    with override_settings(LOGIN_URL="/nowhere/", MIDDLEWARE=[middleware]):
        assert said(check_sign_in_page) == {}


@override_settings(LOGIN_URL="/nowhere/", ROOT_URLCONF=None)
def test_a_project_without_urls_has_no_page():
    assert said(check_sign_in_page) == {}


# Links


@pytest.mark.parametrize("name", URL_SETTINGS)
@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("help@example.com", '"mailto:help@example.com"'),
        ("sign_in", 'reverse_lazy("sign_in")'),
        ("members:in", 'reverse_lazy("members:in")'),
        ("password_change", "reverse_lazy()"),
        ("help/", 'Begin it with "/"'),
        ("www.example.com/help", '"https://"'),
        ("example.com", '"https://"'),
    ],
)
def test_a_link_that_is_no_address(name, value, meant):
    with override_settings(**{name: value}):
        text = the_message(check_links, "E410")
    assert text.startswith(f'{name} is "{value}"')
    assert meant in text


@pytest.mark.parametrize("name", URL_SETTINGS)
@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "/help/",
        "//help.example.com/",
        "https://example.com/help",
        "mailto:help@example.com",
        "tel:+431234",
        "tg://resolve?domain=help",
        reverse_lazy("sign_in"),
    ],
)
def test_a_link_that_is_an_address(name, value):
    with override_settings(**{name: value}):
        assert said(check_links) == {}


@pytest.mark.parametrize("name", URL_SETTINGS)
@pytest.mark.parametrize("view", ["help", "members:help", "nowhere:in"])
def test_a_link_to_a_url_that_is_not_there(name, view):
    with override_settings(**{name: reverse_lazy(view)}):
        text = the_message(check_links, "E411")
    assert text.startswith(f"{name} names no URL of this project")
    assert view.rpartition(":")[2] in text or view.partition(":")[0] in text
