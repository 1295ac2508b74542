"""Test what a refused sign-in leaves of second factors, with django-otp and allauth."""

from __future__ import annotations

import pytest
from django.db import connections

from session_limit.models import PendingSignIn
from session_limit.pages.chooser import COOKIE
from tests import stores
from tests.libraries.cells import choose
from tests.libraries.integrations import AllauthTwoFactors, DjangoOTP
from tests.stories.people import PASSWORD, SIGNED_IN, live, reasons


@pytest.fixture
def otp(ada):
    otp = DjangoOTP()
    otp.prepare(ada)
    return otp


@pytest.fixture
def rival(ada, laptop):
    laptop.sign_in()
    return laptop


@pytest.fixture
def atomic_requests():
    """Run every view in a transaction, which a refusal rolls back."""
    connections.settings["default"]["ATOMIC_REQUESTS"] = True
    yield
    connections.settings["default"]["ATOMIC_REQUESTS"] = False


@pytest.fixture(params=["deny", "ask"])
def refusing(request, settings):
    settings.SESSION_LIMIT_AT_LIMIT = request.param


# django-otp


def test_a_refused_token_verifies_no_later_sign_in(otp, rival, phone, refusing):
    """
    A refused sign-in leaves no verified device in the session.

    django-otp puts the device there before the refusal.
    """
    phone.post("/cart/", {"cart": "tea"})
    otp.sign_in(phone)
    rival.sign_out()
    # Sign in with the password alone, in the same browser.
    phone.sign_in()
    assert phone.state == SIGNED_IN
    assert phone.get("/otp/members/").status_code == 302
    assert "otp_device_id" not in phone.stored


def test_what_docs_say_of_a_refused_token(otp, rival, phone, refusing):
    """A refused sign-in uses up its token, as docs/how-to/libraries.md says."""
    token = otp.token()
    otp.finish(phone, None, token)
    rival.sign_out()
    assert b"Invalid token" in otp.finish(phone, None, token).content
    otp.device.throttle_reset()
    otp.sign_in(phone)
    assert otp.is_complete(phone)


def test_giving_a_token_later_is_no_second_sign_in(otp, phone, refusing):
    phone.sign_in()
    row = phone.row
    data = {"otp_device": otp.device.persistent_id, "otp_token": otp.token()}
    assert phone.post("/otp/login/", data).status_code == 302
    assert otp.is_complete(phone)
    assert live() == [row]
    assert reasons() == []


def test_waiting_for_a_token_takes_no_place(otp, rival, phone, refusing):
    response = phone.post(
        "/otp/login/", {"username": "ada", "password": "correct horse"}
    )
    assert b"enter your OTP token" in response.content
    assert rival.state == SIGNED_IN
    assert phone.name is None
    # Nothing is pending before the last factor.
    assert COOKIE not in phone.client.cookies
    assert not PendingSignIn.objects.exists()


# allauth


@pytest.fixture
def allauth(ada):
    allauth = AllauthTwoFactors()
    allauth.prepare(ada)
    return allauth


def test_waiting_for_a_code_takes_no_place(allauth, rival, phone, refusing):
    phone.post("/accounts/login/", {"login": "ada", "password": PASSWORD})
    assert phone.get("/accounts/2fa/authenticate/").status_code == 200
    assert rival.state == SIGNED_IN
    assert phone.name is None
    # Nothing is pending before the last factor.
    assert COOKIE not in phone.client.cookies
    assert not PendingSignIn.objects.exists()


def test_a_refused_code_is_of_no_use_later(allauth, rival, phone, refusing):
    allauth.sign_in(phone)
    rival.sign_out()
    response = phone.get("/accounts/2fa/authenticate/")
    # allauth asks for both factors again, unless the session is stored in its cookie.
    assert response.status_code == (200 if stores.is_cookie() else 302)
    allauth.sign_in(phone)
    assert allauth.is_complete(phone)


def test_a_choice_is_made_with_all_that_was_given(
    allauth, rival, phone, settings, atomic_requests
):
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    choose(phone, allauth.sign_in(phone), rival.row.pk)
    assert phone.state == SIGNED_IN
    assert allauth.is_complete(phone)
