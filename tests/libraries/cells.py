"""
Tests that every integration must pass under every policy at the limit.

They check which sessions are live, why others ended, and that a refused sign-in neither
ran nor left anything behind.
"""

from __future__ import annotations

import re
from functools import partial

import pytest
from allauth.account.signals import user_logged_in as allauth_logged_in
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.urls import reverse

from session_limit import signals
from session_limit.models import UserSession
from session_limit.store import engines
from tests.stories.people import JSON, NOBODY, SIGNED_IN, live, reasons, set_cookie

Reason = UserSession.Reason

HEARD = {
    "django": user_logged_in,
    "failed": user_login_failed,
    "allauth": allauth_logged_in,
    "limit": signals.limit_reached,
}

KEPT_FOR_SOMEBODY = [
    "/members/",
    "/admin/",
    "/otp/members/",
    "/account/sessions/",
    "/accounts/password/change/",
    "/accounts/2fa/",
]


class Heard(list):
    """A list of the names of the signals that were sent, in order."""

    def __init__(self):
        # Keep the receivers, because a signal holds only weak references.
        self.receivers = {name: self.receiver(name) for name in HEARD}
        for name, signal in HEARD.items():
            signal.connect(self.receivers[name])

    def receiver(self, name):
        return lambda **kwargs: self.append(name)

    def stop(self):
        for name, signal in HEARD.items():
            signal.disconnect(self.receivers[name])


def assert_nobody(visitor):
    """Assert that no page of any integration takes this browser for signed in."""
    assert visitor.state == NOBODY
    assert visitor.name is None
    for path in KEPT_FOR_SOMEBODY:
        assert visitor.get(path).status_code == 302, path
    assert visitor.get("/rest/me/", headers=JSON).status_code == 403
    answer = visitor.get("/_allauth/browser/v1/auth/session", headers=JSON)
    assert answer.status_code == 401
    assert not answer.json()["meta"]["is_authenticated"]


def choose(visitor, response, id):
    """
    End the session with this id through the chooser, in the format of ``response``.

    Return the address to which the chooser leads.
    """
    if response.status_code == 409:
        asked = response.json()
        response = visitor.post(
            asked["choose_url"],
            {"choice": asked["choice"], "end": [str(id)]},
            content_type="application/json",
            headers=JSON,
        )
        assert response.status_code == 200
        assert response.json()["code"] == "signed_in"
        return response.json()["next"]
    page = visitor.get(response["Location"]).content.decode()
    (code,) = re.findall(r'name="choice"\s+value="([^"]+)"', page)
    response = visitor.post(response["Location"], {"choice": code, "end": str(id)})
    assert response.status_code in {302, 303}
    return response["Location"]


class Cells:
    """
    Tests of one integration, one for each policy. A subclass defines the fixture
    ``integration``.
    """

    @pytest.fixture(autouse=True)
    def account(self, ada, integration):
        integration.prepare(ada)

    @pytest.fixture
    def heard(self):
        heard = Heard()
        yield heard
        heard.stop()

    @pytest.fixture
    def ask(self, settings):
        settings.SESSION_LIMIT_AT_LIMIT = "ask"

    @pytest.fixture
    def rival(self, laptop, account):
        """Sign in with a browser, which then holds the account's only place."""
        laptop.sign_in()
        return laptop

    @pytest.fixture
    def committing(self, django_capture_on_commit_callbacks):
        return partial(django_capture_on_commit_callbacks, execute=True)

    def assert_signed_in(self, visitor, integration):
        assert visitor.state == SIGNED_IN
        assert visitor.name == "ada"
        assert integration.is_complete(visitor)

    def test_displace(self, integration, laptop, phone, committing, heard):
        for visitor in (laptop, phone):
            with committing():
                response = integration.sign_in(visitor)
            assert response.status_code == integration.succeeded
            self.assert_signed_in(visitor, integration)
        assert live() == [phone.row]
        assert laptop.state == Reason.DISPLACED
        assert laptop.name is None
        assert reasons() == [Reason.DISPLACED]
        assert (heard.count("django"), heard.count("limit")) == (2, 1)

    def test_observe(self, integration, rival, phone, committing, settings, heard):
        settings.SESSION_LIMIT_AT_LIMIT = "observe"
        with committing():
            response = integration.sign_in(phone)
        assert response.status_code == integration.succeeded
        self.assert_signed_in(phone, integration)
        assert rival.state == SIGNED_IN
        assert live() == [rival.row, phone.row]
        assert reasons() == []
        assert (heard.count("django"), heard.count("limit")) == (1, 1)

    def test_deny(self, ada, integration, rival, phone, deny, heard):
        phone.post("/cart/", {"cart": "tea"})
        integration.begin(phone, None)
        before, cookie = phone.stored, phone.cookie
        response = integration.finish(phone, None)

        assert response.status_code == 403
        assert "Location" not in response
        if integration.headers == JSON:
            assert response.json()["code"] == "session_limit"
        else:
            assert b"already, which is as many as it may." in response.content
        self.assert_undone(integration, response, phone, before, cookie)
        # allauth reports no success, and nothing that axes would count as a failure.
        assert heard == ["limit"]
        assert rival.state == SIGNED_IN
        assert live() == [rival.row]
        # Django's receiver runs before the package's.
        last_login = ada.last_login
        ada.refresh_from_db()
        assert ada.last_login != last_login

        rival.sign_out()
        assert integration.sign_in(phone).status_code == integration.succeeded
        self.assert_signed_in(phone, integration)

    def assert_undone(self, integration, response, visitor, before, cookie):
        assert set_cookie(response) is None
        assert visitor.cookie == cookie
        left = visitor.stored
        assert not left.keys() & {SESSION_KEY, HASH_SESSION_KEY, engines.ID}
        for data in (before, left):
            for name in integration.leaves & data.keys():
                del data[name]
        assert left == before
        assert_nobody(visitor)
        assert visitor.get("/messages/").json() == []

    def test_ask(self, integration, rival, phone, ask, heard):
        phone.post("/cart/", {"cart": "tea"})
        integration.begin(phone, "/cart/")
        before, cookie = phone.stored, phone.cookie
        response = integration.finish(phone, "/cart/")

        self.assert_asked(integration, response, rival)
        self.assert_undone(integration, response, phone, before, cookie)
        assert heard == ["limit"]
        assert rival.state == SIGNED_IN
        assert live() == [rival.row]

        where = choose(phone, response, rival.row.pk)
        assert where == ("/cart/" if integration.has_next else "/")
        self.assert_signed_in(phone, integration)
        assert phone.get("/cart/").json() == {"cart": "tea"}
        assert rival.state == Reason.DISPLACED
        assert live() == [phone.row]
        assert reasons() == [Reason.DISPLACED]
        assert "failed" not in heard
        assert heard.count("django") == 1

    def assert_asked(self, integration, response, rival):
        if integration.headers == JSON:
            assert response.status_code == 409
            assert response.json()["code"] == "choose_session"
            (session,) = response.json()["sessions"]
            assert session["id"] == str(rival.row.pk)
        else:
            assert response.status_code == 303
            assert response["Location"].startswith(reverse("session_limit:choose"))

    def test_ask_without_a_cookie(self, integration, rival, phone, ask):
        response = integration.sign_in(phone)
        self.assert_asked(integration, response, rival)
        assert_nobody(phone)
        choose(phone, response, rival.row.pk)
        self.assert_signed_in(phone, integration)
        assert live() == [phone.row]

    def test_deny_without_a_cookie(self, integration, rival, phone, deny):
        response = integration.sign_in(phone)
        assert response.status_code == 403
        assert_nobody(phone)
        assert live() == [rival.row]
