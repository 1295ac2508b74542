"""
Two tabs of one browser sign in at once.

The second request begins before the first one has been answered, with the cookie that
both tabs had. The browser keeps the cookie that arrives last.
"""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.backends import ModelBackend
from django.db import connections

from session_limit.models import UserSession
from tests.stories import views
from tests.stories.people import (
    SIGNED_IN,
    live,
    only_kept,
    set_cookie,
)

Reason = UserSession.Reason


class Slow(ModelBackend):
    """Call what a test wants to happen meanwhile before checking the password."""

    def authenticate(self, request, **kwargs):
        request.session.get("cart")
        views.happen()
        return super().authenticate(request, **kwargs)

    async def aauthenticate(self, request, **kwargs):
        await request.session.aget("cart")
        await sync_to_async(views.happen)()
        return await super().aauthenticate(request, **kwargs)


@pytest.fixture(autouse=True)
def slow(settings):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Slow"]


@pytest.fixture
def atomic(request):
    connections.settings["default"]["ATOMIC_REQUESTS"] = request.param
    yield request.param
    connections.settings["default"]["ATOMIC_REQUESTS"] = False


# Django has no ATOMIC_REQUESTS for asynchronous views.
in_and_out_of_transactions = pytest.mark.parametrize(
    ("served", "atomic"),
    [("sync", False), ("sync", True), ("async", False)],
    indirect=["atomic"],
)


def sign_in_both_tabs(browser):
    """
    Sign in in two tabs, the second of which is answered during the request of the
    first. Return both answers, the second tab's first. The browser keeps the cookies of
    both.
    """
    second = browser.twin(is_async=False)  # within a request of the other
    answers = []

    def sign_in():
        answers.append(second.sign_in())
        browser.cookie = second.cookie

    views.meanwhile.append(sign_in)
    answers.append(browser.sign_in())
    return answers


def test_two_tabs_under_displace(ada, laptop):
    second, first = sign_in_both_tabs(laptop)
    assert first.status_code == second.status_code == 302
    assert laptop.state == SIGNED_IN
    assert len(live(ada)) == 1
    assert only_kept(laptop)


def test_two_tabs_under_deny(ada, laptop, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    second, first = sign_in_both_tabs(laptop)
    assert (second.status_code, first.status_code) == (302, 403)
    # The refused tab's answer leaves the cookie of the other alone.
    assert set_cookie(first) is None
    assert laptop.state == SIGNED_IN
    assert len(live(ada)) == 1
    assert only_kept(laptop)


@pytest.mark.parametrize("at_limit", ["displace", "deny"])
def test_two_tabs_with_a_cart(ada, laptop, settings, at_limit):
    settings.SESSION_LIMIT_AT_LIMIT = at_limit
    laptop.post("/cart/", {"cart": "tea"})
    second, _ = sign_in_both_tabs(laptop)
    assert second.status_code == 302
    assert laptop.state == SIGNED_IN
    assert laptop.get("/cart/").json() == {"cart": "tea"}
    assert len(live(ada)) == 1


def test_the_second_tab_signs_in_after_the_first(ada, laptop, settings):
    """The second tab still sends the cookie from before the first one's sign-in."""
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.post("/cart/", {"cart": "tea"})
    tab = laptop.twin()
    assert laptop.sign_in().status_code == 302
    response = tab.sign_in()
    assert response.status_code == 403
    assert set_cookie(response) is None
    assert laptop.state == SIGNED_IN


@in_and_out_of_transactions
def test_a_cart_survives_a_refusal(ada, laptop, phone, settings, atomic):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    phone.post("/cart/", {"cart": "tea"})
    key = phone.cookie
    for _ in range(2):
        response = phone.sign_in(path="/login/")
        assert response.status_code == 403
        assert set_cookie(response) is None
        assert phone.cookie == key
        assert phone.get("/cart/").json() == {"cart": "tea"}
        assert phone.name is None
    assert only_kept(laptop, phone)

    laptop.sign_out()
    phone.sign_in(path="/login/")
    assert phone.get("/cart/").json() == {"cart": "tea"}
    assert phone.state == SIGNED_IN


@in_and_out_of_transactions
def test_a_refusal_leaves_who_is_signed_in_signed_in_elsewhere(
    ada, bob, laptop, phone, settings, atomic
):
    """
    Bob's session is the same, although Django flushed it before ada's sign-in was
    refused.
    """
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in("ada")
    phone.sign_in("bob")
    cookie, [row] = phone.cookie, live(bob)
    response = phone.sign_in("ada")
    assert response.status_code == 403
    assert set_cookie(response) is None
    assert laptop.state == SIGNED_IN
    assert phone.name == "bob"
    assert phone.cookie == cookie
    assert len(live(ada)) == 1
    assert live(bob) == [row]
