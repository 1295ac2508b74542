"""Views that give out or withdraw tokens send the signals of a sign-in or sign-out."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory

from session_limit import receivers
from session_limit.models import UserSession
from session_limit.store import last_login
from session_limit.store.guarded import install
from tests import stores
from tests.stories.people import NOBODY, SIGNED_IN, Visitor, live, reasons, set_cookie
from tests.stories.test_switches import act

Reason = UserSession.Reason


@pytest.fixture(params=["displace", "deny", "ask"])
def policy(request, settings):
    settings.SESSION_LIMIT_AT_LIMIT = request.param


@pytest.mark.usefixtures("policy")
def test_a_token_takes_no_place(ada, laptop, phone):
    """An app without cookies gets a token. Fails if the signal is a sign-in."""
    laptop.sign_in()
    _, response = act(phone, "announce:ada")
    assert response.status_code == 200
    assert set_cookie(response) is None
    assert "Cookie" not in response.get("Vary", "")
    assert laptop.state == SIGNED_IN
    assert len(live(ada)) == 1


@pytest.mark.usefixtures("policy")
def test_a_token_for_another_account_in_somebodys_browser(ada, bob, laptop, phone):
    """Fails if the signal signs bob out, or signs ada in."""
    laptop.sign_in("ada")
    phone.sign_in("bob")
    stored, rows = phone.stored, live()
    assert act(phone, "who announce:ada who current")[0] == [
        "bob",
        "bob",
        phone.row.pk.hex,
    ]
    assert phone.stored == stored
    assert live() == rows


@pytest.mark.usefixtures("policy")
def test_a_token_in_a_browser_with_a_basket(ada, laptop, phone):
    laptop.sign_in()
    phone.write()
    stored = phone.stored
    act(phone, "announce:ada")
    assert phone.stored == stored
    assert phone.state == NOBODY


def test_a_token_for_the_same_account_takes_no_second_place(ada, laptop):
    laptop.sign_in()
    act(laptop, "announce:ada")
    assert laptop.state == SIGNED_IN
    assert len(live(ada)) == 1


@pytest.mark.parametrize("user", [None, AnonymousUser(), object()])
@pytest.mark.parametrize("session", ["none", "plain", "guarded"])
def test_signals_of_any_kind_raise_nothing(db, user, session):
    request = RequestFactory().get("/")
    if session != "none":
        request.session = stores.engine()()
    if session == "guarded":
        install(request)
    for each in (request, None):
        last_login.signing_in(None, request=each, user=user)
        receivers.signed_in(None, request=each, user=user)
        receivers.signed_out(None, request=each, user=user)
    assert not stores.kept()


def test_withdrawing_a_token_signs_nobody_out(ada, laptop):
    """Fails if the signal alone ends the session of the browser."""
    laptop.sign_in()
    act(laptop, "withdraw")
    assert laptop.state == SIGNED_IN
    assert reasons() == []


def test_withdrawing_a_token_does_not_excuse_a_changed_password(ada, laptop):
    """
    Django flushes the session because the password has changed. Fails if the signal
    makes that look like a sign-out.
    """
    laptop.sign_in()
    ada.set_password("new")
    ada.save()
    act(laptop, "withdraw who")
    assert reasons() == [Reason.PASSWORD_CHANGED]
    assert laptop.state == Reason.PASSWORD_CHANGED


def test_withdrawing_a_token_does_not_sign_out_under_an_unknown_key(ada, laptop):
    """Nothing is stored under the key, as after another tab has changed the key."""
    laptop.sign_in()
    tab = laptop.twin()
    tab.get(tab.path("cycle"))
    act(laptop, "withdraw")
    assert len(live(ada)) == 1
    assert tab.state == SIGNED_IN


@pytest.mark.parametrize("is_async", [False, True])
def test_without_the_middleware_only_logout_ends_the_session(ada, settings, is_async):
    visitor = Visitor(is_async=is_async)
    visitor.sign_in()
    ours = "session_limit.middleware.SessionLimitMiddleware"
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if each != ours]
    # A client keeps the middleware of its first request.
    visitor = visitor.twin()
    act(visitor, "withdraw")
    assert len(live(ada)) == 1
    if not is_async:
        visitor.sign_out()
        assert live(ada) == []
