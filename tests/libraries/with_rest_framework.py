"""
Test Django REST framework: an API with sessions, its browsable pages and a sign-in.

DRF raises the ``PermissionDenied`` of that sign-in again as an exception of its own.
"""

from __future__ import annotations

import base64

import pytest

from session_limit.models import UserSession
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

ME = "/rest/me/"
SIGN_IN = "/rest/sign-in/"
RESHAPED = "/rest/sign-in-reshaped/"
FORM = "/rest/auth/login/"


@pytest.fixture(autouse=True)
def everybody(ada):
    pass


# Displaced


@pytest.mark.parametrize("path", [SIGN_IN, FORM])
def test_a_second_sign_in_displaces_the_first(laptop, phone, path):
    assert laptop.sign_in(path=path).status_code in {200, 302}
    assert laptop.get(ME, headers=JSON).json() == {"user": "ada"}
    assert phone.sign_in(path=path).status_code in {200, 302}
    assert phone.get(ME, headers=JSON).json() == {"user": "ada"}
    assert laptop.state == Reason.DISPLACED
    assert len(live()) == 1


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("accept", ["application/json", "*/*"])
def test_an_api_tells_why(laptop, phone, accept, method):
    laptop.sign_in()
    phone.sign_in()
    for _ in range(2):
        response = laptop.call(method, ME, headers={"Accept": accept})
        # DRF itself would answer 403, for cookies have no ``WWW-Authenticate`` header.
        assert response.status_code == 401
        assert response.json()["code"] == "session_ended"
        assert response.json()["reason"] == Reason.DISPLACED
        assert response.json()["device_class"] == "phone"
        assert set_cookie(response) is None


def test_an_api_with_a_media_type_of_its_own_tells_why(laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    headers = {"Accept": "application/vnd.api+json"}
    response = laptop.get("/rest/jsonapi/", headers=headers)
    assert response.status_code == 401
    assert response.json()["reason"] == Reason.DISPLACED


def test_the_browsable_api_tells_why(laptop, phone):
    laptop.sign_in(path=FORM)
    assert b"Django REST framework" in laptop.get(ME).content
    phone.sign_in(path=FORM)
    page = laptop.get(ME)
    assert page.status_code == 401
    assert b"Your account was signed in on a phone." in page.content
    assert b'href="/accounts/login/?next=%2Frest%2Fme%2F"' in page.content
    # The page has told the reason, so the browser is anonymous and DRF answers.
    assert laptop.get(ME, headers=JSON).status_code == 403


def test_what_anybody_may_see_stays_as_it_is(laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    for _ in range(2):
        response = laptop.get("/rest/public/", headers=JSON)
        assert response.json() == {"user": None}
        assert set_cookie(response) is None
    assert laptop.state == Reason.DISPLACED


def test_what_a_live_session_may_not_do_is_drfs_to_say(laptop):
    laptop.sign_in()
    response = laptop.get("/rest/staff/", headers=JSON)
    assert response.status_code == 403
    assert list(response.json()) == ["detail"]


def test_who_authenticates_without_a_session_is_left_alone(laptop, phone):
    credentials = base64.b64encode(f"ada:{PASSWORD}".encode()).decode()
    headers = {**JSON, "Authorization": f"Basic {credentials}"}
    laptop.sign_in()
    phone.sign_in()
    response = laptop.get("/rest/basic/", headers=headers)
    assert response.json() == {"user": "ada"}
    assert len(live()) == 1
    assert phone.state == SIGNED_IN


# Refused


@pytest.mark.parametrize("path", [SIGN_IN, RESHAPED, FORM])
def test_a_refused_sign_in(laptop, phone, deny, path):
    laptop.sign_in()
    phone.post("/cart/", {"cart": "tea"})
    cookie = phone.cookie

    response = phone.sign_in(path=path, headers=JSON)
    assert response.status_code == 403
    assert response.json()["code"] == "session_limit"
    assert response.json()["limit"] == 1
    assert set_cookie(response) is None
    assert phone.cookie == cookie
    assert phone.name is None
    assert phone.state == NOBODY
    assert phone.get("/cart/").json() == {"cart": "tea"}
    assert laptop.state == SIGNED_IN


@pytest.mark.parametrize("path", [SIGN_IN, RESHAPED, FORM])
def test_a_refused_sign_in_of_a_browser_without_a_cookie(laptop, phone, deny, path):
    laptop.sign_in()
    response = phone.sign_in(path=path)
    assert response.status_code == 403
    assert b"already, which is as many as it may." in response.content
    assert phone.cookie is None
    assert phone.name is None


@pytest.mark.parametrize("path", [SIGN_IN, RESHAPED, FORM])
def test_a_script_is_asked(laptop, phone, settings, path):
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    laptop.sign_in()
    response = phone.sign_in(path=path, headers=JSON)
    assert response.status_code == 409
    assert response.json()["code"] == "choose_session"
    assert phone.name is None
    choose(phone, response, laptop.row.pk)
    assert phone.get(ME, headers=JSON).json() == {"user": "ada"}
    assert laptop.state == Reason.DISPLACED


def test_signing_out_of_the_browsable_api(laptop):
    laptop.sign_in(path=FORM)
    laptop.post("/rest/auth/logout/")
    assert laptop.state == NOBODY
    assert live() == []
    assert reasons() == [Reason.SIGNED_OUT]
