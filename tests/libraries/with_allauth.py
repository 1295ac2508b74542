"""
Test django-allauth's pages: sign-ins by password, by mailed code and by provider.

The provider's view turns every ``PermissionDenied`` into an error page.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers.github.views import GitHubOAuth2Adapter
from allauth.socialaccount.providers.oauth2.client import OAuth2Client
from django.core import mail

from session_limit.models import UserSession
from session_limit.testing import clock
from tests.libraries.cells import choose
from tests.stories.people import (
    JSON,
    NOBODY,
    PASSWORD,
    SIGNED_IN,
    live,
    reasons,
    set_cookie,
)

Reason = UserSession.Reason

NEW_PASSWORD = "battery staple"
PAGE = "/accounts/password/change/"


@pytest.fixture(params=["sync", "async"])
def served(request):
    """allauth's middleware works both ways."""
    return request.param


@pytest.fixture(autouse=True)
def github(ada, monkeypatch):
    """Give Ada an account at a provider that confirms every sign-in."""
    SocialAccount.objects.create(user=ada, provider="github", uid="1")

    def get_access_token(self, code, **kwargs):
        return {"access_token": code}

    def complete_login(self, request, app, token, **kwargs):
        data = {"id": 1, "login": "ada"}
        return self.get_provider().sociallogin_from_response(request, data)

    monkeypatch.setattr(OAuth2Client, "get_access_token", get_access_token)
    monkeypatch.setattr(GitHubOAuth2Adapter, "complete_login", complete_login)


def by_password(visitor, password=PASSWORD, path="/accounts/login/", **kwargs):
    return visitor.post(path, {"login": "ada", "password": password}, **kwargs)


def by_code(visitor, **kwargs):
    visitor.post("/accounts/login/code/", {"email": "ada@example.com"})
    (code,) = re.findall(r"^[A-Z0-9-]{6,}$", mail.outbox[-1].body, re.MULTILINE)
    return visitor.post("/accounts/login/code/confirm/", {"code": code}, **kwargs)


def by_provider(visitor, headers=None):
    away = visitor.post("/accounts/github/login/")
    (state,) = parse_qs(urlsplit(away["Location"]).query)["state"]
    navigation = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    return visitor.get(
        f"/accounts/github/login/callback/?code=x&state={state}",
        headers=headers or navigation,
    )


ways = pytest.mark.parametrize("sign_in", [by_password, by_code, by_provider])


# Displaced


@ways
def test_a_second_sign_in_displaces_the_first(laptop, phone, sign_in):
    assert sign_in(laptop).status_code == 302
    assert laptop.name == "ada"
    assert sign_in(phone).status_code == 302
    assert phone.name == "ada"
    assert laptop.state == Reason.DISPLACED
    assert len(live()) == 1


@ways
def test_use_here_instead(laptop, phone, sign_in):
    """A displaced person can sign in again at once, with the ended session's cookie."""
    sign_in(laptop)
    sign_in(phone)
    assert sign_in(laptop).status_code == 302
    assert laptop.state == SIGNED_IN
    assert phone.state == Reason.DISPLACED


def test_a_page_of_allauths_tells_why_and_leads_to_its_sign_in(laptop, phone):
    by_password(laptop)
    by_password(phone)
    page = laptop.get(PAGE)
    assert page.status_code == 401
    assert b"Your account was signed in on a phone." in page.content
    (path,) = re.findall(r'href="(/accounts/login/[^"]+)"', page.content.decode())

    assert laptop.get(path).status_code == 200
    response = by_password(laptop, path=path)
    assert (response.status_code, response["Location"]) == (302, PAGE)
    assert laptop.get(PAGE).status_code == 200


def test_who_turns_back_at_the_provider_is_still_told_why(laptop, phone):
    """
    A displaced browser gets its reason even after a visit to the provider.

    On the way there, allauth saves a session in place of the ended one.
    """
    by_password(laptop)
    by_password(phone)
    assert laptop.post("/accounts/github/login/").status_code == 302
    assert laptop.state == Reason.DISPLACED
    assert laptop.get(PAGE).status_code == 401


def test_a_script_is_told_why(laptop, phone):
    by_password(laptop)
    by_password(phone)
    response = laptop.get(PAGE, headers=JSON)
    assert response.status_code == 401
    assert response.json()["reason"] == Reason.DISPLACED
    assert response.json()["device_class"] == "phone"


def test_waiting_for_a_code_takes_no_place(laptop, phone):
    by_password(laptop)
    phone.post("/accounts/login/code/", {"email": "ada@example.com"})
    assert laptop.state == SIGNED_IN
    assert len(live()) == 1


# Refused


@ways
def test_a_refused_sign_in(laptop, phone, deny, sign_in):
    by_password(laptop)
    phone.post("/cart/", {"cart": "tea"})
    cookie = phone.cookie

    response = sign_in(phone)
    assert response.status_code == 403
    assert b"already, which is as many as it may." in response.content
    assert set_cookie(response) is None
    assert phone.cookie == cookie
    assert phone.name is None
    assert phone.state == NOBODY
    assert phone.get("/cart/").json() == {"cart": "tea"}
    assert laptop.state == SIGNED_IN

    laptop.post("/accounts/logout/")
    assert sign_in(phone).status_code == 302
    assert phone.state == SIGNED_IN


@ways
def test_a_script_is_refused(laptop, phone, deny, sign_in):
    by_password(laptop)
    response = sign_in(phone, headers=JSON)
    assert response.status_code == 403
    assert response.json()["code"] == "session_limit"
    assert phone.name is None


def test_a_refused_tab_leaves_the_place_to_the_one_that_was_admitted(phone, deny):
    """
    A refused tab does not take the cookie of the tab that was admitted.

    Neither had a cookie when it sent its form, and allauth writes to the session before
    ``login()``.
    """
    other_tab = phone.twin()
    by_password(phone)
    response = by_password(other_tab)
    assert response.status_code == 403
    assert set_cookie(response) is None


# Asked


@ways
def test_choosing_signs_in(laptop, phone, settings, sign_in):
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    by_password(laptop)
    response = sign_in(phone)
    assert (response.status_code, phone.name) == (303, None)
    assert laptop.state == SIGNED_IN
    choose(phone, response, laptop.row.pk)
    assert phone.state == SIGNED_IN
    assert laptop.state == Reason.DISPLACED


def test_who_asks_to_be_remembered_has_the_default_expiry(laptop, phone, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    by_password(laptop)
    form = {"login": "ada", "password": PASSWORD, "remember": "on"}
    choose(phone, phone.post("/accounts/login/", form), laptop.row.pk)
    assert phone.state == SIGNED_IN
    assert "_session_expiry" not in phone.stored


def test_what_docs_say_of_what_comes_after_login(laptop, phone, settings):
    """Test what docs/how-to/libraries.md says of code that runs after ``login()``."""
    by_password(laptop)
    assert laptop.stored["_session_expiry"] == 0
    assert b"Successfully signed in" in laptop.get("/messages/").content
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    choose(phone, by_password(phone), laptop.row.pk)
    assert phone.state == SIGNED_IN
    assert phone.stored["_session_expiry"] == 0
    assert phone.get("/messages/").json() == []


# Other actions


def test_changing_the_password_keeps_this_session(laptop, phone, settings):
    settings.SESSION_LIMIT = 2
    by_password(laptop)
    by_password(phone)
    row = laptop.row
    passwords = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    response = laptop.post(PAGE, {"oldpassword": PASSWORD, **passwords})
    assert response.status_code == 302
    assert laptop.state == SIGNED_IN
    assert laptop.row == row
    assert phone.state == Reason.PASSWORD_CHANGED

    settings.SESSION_LIMIT = 1
    by_password(phone, NEW_PASSWORD)
    assert laptop.state == Reason.DISPLACED


def test_resetting_the_password_ends_the_others(laptop, phone):
    by_password(laptop)
    phone.post("/accounts/password/reset/", {"email": "ada@example.com"})
    (path,) = re.findall(r"/accounts/password/reset/key/\S+", mail.outbox[-1].body)
    form = phone.get(path)["Location"]
    passwords = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    assert phone.post(form, passwords).status_code == 302
    assert laptop.state == Reason.PASSWORD_CHANGED
    assert by_password(phone, NEW_PASSWORD).status_code == 302
    assert phone.state == SIGNED_IN


def test_what_docs_say_of_signing_in_right_after_a_reset(laptop, phone, deny, settings):
    """Test what docs/how-to/libraries.md says about signing in right after a reset."""
    settings.ACCOUNT_LOGIN_ON_PASSWORD_RESET = True
    by_password(laptop)
    phone.post("/accounts/password/reset/", {"email": "ada@example.com"})
    (path,) = re.findall(r"/accounts/password/reset/key/\S+", mail.outbox[-1].body)
    form = phone.get(path)["Location"]
    passwords = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    assert phone.post(form, passwords).status_code == 403
    assert phone.name is None
    with clock() as moved:
        moved.advance(121)
        assert by_password(phone, NEW_PASSWORD).status_code == 302
        assert phone.state == SIGNED_IN
        assert laptop.state == Reason.PASSWORD_CHANGED


def test_reauthenticating_is_no_sign_in(laptop):
    by_password(laptop)
    row = laptop.row
    response = laptop.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert response.status_code == 302
    assert live() == [row]
    assert laptop.row == row


def test_signing_up_is_a_sign_in(laptop, phone):
    passwords = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    form = {"username": "eve", "email": "eve@example.com", **passwords}
    assert laptop.post("/accounts/signup/", form).status_code == 302
    assert laptop.name == "eve"
    assert len(live()) == 1
    phone.post("/accounts/login/", {"login": "eve", "password": NEW_PASSWORD})
    assert laptop.state == Reason.DISPLACED


def test_signing_out(laptop):
    by_password(laptop)
    assert laptop.post("/accounts/logout/").status_code == 302
    assert laptop.state == NOBODY
    assert live() == []
    assert reasons() == [Reason.SIGNED_OUT]
