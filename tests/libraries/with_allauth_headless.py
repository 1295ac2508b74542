"""
Test django-allauth's headless API with its browser client and its app client.

The browser client has the session's cookie. The app client has a token, and allauth
loads its session itself.
"""

from __future__ import annotations

import pytest

from session_limit.models import UserSession
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


@pytest.fixture(params=["sync", "async"])
def served(request):
    """allauth's middleware works both ways."""
    return request.param


class Client:
    """Use the API with a visitor's browser, as the client ``kind`` does."""

    def __init__(self, visitor, kind):
        self.visitor, self.prefix = visitor, f"/_allauth/{kind}/v1"
        self.headers = dict(JSON)

    def call(self, method, path, **kwargs):
        if method != "get":
            kwargs["content_type"] = "application/json"
        path = f"{self.prefix}/{path}"
        response = self.visitor.call(method, path, headers=self.headers, **kwargs)
        if "json" in response["Content-Type"]:
            token = response.json().get("meta", {}).get("session_token")
            if token is not None:
                self.headers["X-Session-Token"] = token
        return response

    def sign_in(self, password=PASSWORD):
        data = {"username": "ada", "password": password}
        return self.call("post", "auth/login", data=data)

    def session(self):
        return self.call("get", "auth/session")

    def change_password(self):
        data = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
        return self.call("post", "account/password/change", data=data)

    def sign_out(self):
        return self.call("delete", "auth/session")


@pytest.fixture
def page(ada, laptop):
    """Return the client of a single-page application in the laptop's browser."""
    return Client(laptop, "browser")


@pytest.fixture
def app(ada, phone):
    """Return the client of an app on the phone."""
    return Client(phone, "app")


# In a browser


def test_a_page_is_displaced_and_told(page, phone, laptop):
    assert page.sign_in().status_code == 200
    assert page.session().status_code == 200
    phone.sign_in()
    for _ in range(2):
        response = page.session()
        assert response.status_code == 401
        assert response.json()["code"] == "session_ended"
        assert response.json()["reason"] == Reason.DISPLACED
        assert response.json()["device_class"] == "phone"

    assert page.sign_in().status_code == 200
    assert page.session().json()["meta"]["is_authenticated"] is True
    assert laptop.state == SIGNED_IN
    assert phone.state == Reason.DISPLACED


def test_a_page_is_refused(page, phone, laptop, deny):
    phone.sign_in()
    laptop.post("/cart/", {"cart": "tea"})
    response = page.sign_in()
    assert response.status_code == 403
    assert response.json()["code"] == "session_limit"
    assert set_cookie(response) is None
    assert laptop.name is None
    assert laptop.get("/cart/").json() == {"cart": "tea"}
    # The refused client gets allauth's own answer for an anonymous client.
    assert page.session().json()["meta"]["is_authenticated"] is False
    assert phone.state == SIGNED_IN


def test_a_page_changes_the_password(page, phone, laptop, settings):
    settings.SESSION_LIMIT = 2
    page.sign_in()
    phone.sign_in()
    row = laptop.row
    assert page.change_password().status_code == 200
    assert page.session().status_code == 200
    assert laptop.row == row
    assert phone.state == Reason.PASSWORD_CHANGED


def test_a_page_signs_out(page, laptop):
    page.sign_in()
    response = page.sign_out()
    # allauth answers with 401, because nobody is signed in any more.
    assert response.status_code == 401
    assert response.json()["meta"]["is_authenticated"] is False
    assert laptop.state == NOBODY
    assert reasons() == [Reason.SIGNED_OUT]


# In an app


def test_an_app_takes_a_place(app, laptop):
    laptop.sign_in()
    assert app.sign_in().status_code == 200
    assert app.session().status_code == 200
    assert laptop.state == Reason.DISPLACED
    assert len(live()) == 1


def test_an_app_is_displaced(app, laptop):
    """An ended app gets allauth's answer, which knows no reason."""
    app.sign_in()
    laptop.sign_in()
    response = app.session()
    assert response.status_code == 410
    assert not response.json()["meta"]["is_authenticated"]
    assert reasons() == [Reason.DISPLACED]


@pytest.mark.parametrize("at_limit", ["deny", "ask"])
def test_an_app_is_refused(app, laptop, settings, at_limit):
    """
    An app gets a 403 from Django under "deny" and under "ask".

    It has no cookie for a pending sign-in.
    """
    settings.SESSION_LIMIT_AT_LIMIT = at_limit
    laptop.sign_in()
    assert app.sign_in().status_code == 403
    assert app.session().status_code == 401
    assert laptop.state == SIGNED_IN
    assert len(live()) == 1


def test_an_app_signs_out(app):
    app.sign_in()
    app.sign_out()
    assert app.session().status_code == 410
    assert live() == []
    assert reasons() == [Reason.SIGNED_OUT]
