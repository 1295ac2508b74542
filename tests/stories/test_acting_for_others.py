"""Administrators who act for other users, in ways of the project's own."""

from __future__ import annotations

import pytest
from django.contrib.auth import alogin, authenticate, get_user_model, login
from django.contrib.auth.views import LoginView
from django.http import HttpResponse
from django.urls import path

from session_limit import registry
from session_limit.models import UserSession
from session_limit.rules import Rules, exempt_sign_in
from tests.stories.people import JSON, PASSWORD, SIGNED_IN, live, make_user, reasons
from tests.stories.urls import urlpatterns as project
from tests.stories.views import BACKEND

Reason = UserSession.Reason

LIST = "/account/sessions/"


def find(name):
    return get_user_model()._default_manager.get_by_natural_key(name)


def log_in_as(request, name):
    with exempt_sign_in(request):
        login(request, find(name), backend=BACKEND)
    return HttpResponse("in")


async def log_in_as_async(request, name):
    user = await get_user_model()._default_manager.aget(
        **{get_user_model().USERNAME_FIELD: name}
    )
    with exempt_sign_in(request):
        await alogin(request, user, backend=BACKEND)
    return HttpResponse("in")


def twice(request):
    """Act for a customer, and then sign in as usual in the same request."""
    with exempt_sign_in(request):
        authenticate(request, username="nobody", password="x")
    login(request, authenticate(request, username="ada", password=PASSWORD))
    return HttpResponse("in")


class Acting:
    """Replace ``request.user``, as django-impersonate does."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if "_acts_for" in request.session and request.user.is_authenticated:
            request.user = find(request.session["_acts_for"])
        return self.get_response(request)


def act(request, name):
    request.session["_acts_for"] = name
    return HttpResponse("acting")


class ByToken:
    """Authenticate without a session, as a project's own API may."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if "X-Token" in request.headers:
            request.user = find("ada")
        return self.get_response(request)


urlpatterns = [
    path("as/<slug:name>/", log_in_as),
    path("aas/<slug:name>/", log_in_as_async),
    path("twice/", twice),
    path("act/<slug:name>/", act),
    path("enter/", LoginView.as_view(redirect_authenticated_user=True)),
    *project,
]


class Nobody(Rules):
    def exempt(self, user, request):
        return False


@pytest.fixture(autouse=True)
def urls(settings):
    settings.ROOT_URLCONF = __name__
    # This page sends everybody back who is signed in already.
    settings.LOGIN_URL = "/enter/"


@pytest.fixture
def grace(ada):
    return make_user("grace")


@pytest.fixture
def acting(settings, grace, laptop):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.Acting"]
    laptop.sign_in("grace")
    laptop.get("/act/ada/")
    return laptop


# A home-made "log in as"


@pytest.mark.parametrize("at_limit", ["displace", "deny", "ask"])
@pytest.mark.parametrize("rules", ["session_limit.rules.Rules", f"{__name__}.Nobody"])
def test_a_customer_keeps_their_place(grace, laptop, phone, settings, at_limit, rules):
    settings.SESSION_LIMIT_AT_LIMIT, settings.SESSION_LIMIT_RULES = at_limit, rules
    phone.sign_in("ada")
    laptop.sign_in("grace")
    assert laptop.get(laptop.path("as/ada")).status_code == 200
    assert laptop.name == "ada"
    assert phone.state == SIGNED_IN
    assert reasons() == [Reason.SIGNED_OUT]
    assert sorted(row.counted for row in live()) == [False, True]
    # The customer signs in elsewhere, and the administrator goes on.
    phone.sign_out()
    phone.sign_in("ada")
    assert laptop.name == "ada"


def test_who_acts_for_a_customer_ends_no_session_without_the_password(
    grace, laptop, phone
):
    phone.sign_in("ada")
    laptop.get("/as/ada/")
    answer = laptop.post(f"{LIST}{phone.row.pk}/end/", headers=JSON)
    assert answer.status_code == 403
    assert answer.json()["code"] == "reauthentication_required"
    assert phone.state == SIGNED_IN


def test_going_back_is_a_sign_in_like_any_other(grace, laptop, phone):
    phone.sign_in("ada")
    laptop.get("/as/ada/")
    laptop.sign_in("grace")
    assert laptop.row.counted
    assert "_session_limit_acting" not in laptop.stored
    answer = laptop.post(f"{LIST}end-others/", headers=JSON)
    assert answer.status_code != 403


def test_only_the_sign_in_in_the_block_is_exempt(grace, laptop, phone):
    phone.sign_in("ada")
    laptop.get("/twice/")
    assert laptop.row.counted
    assert phone.state == Reason.DISPLACED
    assert "_session_limit_acting" not in laptop.stored


# Pages for the owner alone


@pytest.mark.parametrize("address", [LIST, f"{LIST}end-others/"])
def test_who_acts_for_another_is_told_and_sent_nowhere(acting, address):
    answer = acting.get(address)
    assert answer.status_code == 403
    assert b"Only the owner of this account" in answer.content
    assert "Location" not in answer


def test_a_script_is_told_so_too(acting):
    answer = acting.get(LIST, headers=JSON)
    assert answer.status_code == 403
    assert answer.json()["code"] == "not_owner"
    assert "Only the owner" in answer.json()["detail"]


def test_who_is_signed_in_by_a_token_is_not_sent_to_sign_in(ada, laptop, settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.ByToken"]
    answer = laptop.get(LIST, headers={"X-Token": "x"})
    assert answer.status_code == 403
    assert answer.get("Location") is None


def test_who_acts_for_another_and_is_displaced_is_told_why(acting, browser):
    other = browser()
    other.sign_in("grace")
    answer = acting.get(LIST)
    assert answer.status_code == 401
    assert b"Your account was signed in on a computer." in answer.content


def test_who_acts_for_another_and_was_ended_is_told_why(acting, grace):
    registry.end_all(grace, Reason.REVOKED)
    assert acting.get(LIST).status_code == 401
