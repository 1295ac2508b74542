"""Signed in before anybody recorded it: adopted once, or never."""

from __future__ import annotations

import pytest

from session_limit.models import UserSession
from tests import stores
from tests.interleavings.browsers import Tab, is_only_live, is_told, live, whose
from tests.interleavings.gates import ROW_LOCKS, aside, at_once, until_blocked

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.interleavings.urls"),
]

LOCK = "INSERT INTO session_limit_accountlimit"
RECORD = "INSERT INTO session_limit_usersession"


@pytest.fixture
def old(ada, browser):
    """A browser that was signed in before."""
    old = browser()
    old.post("/set-by-hand/", {"username": "ada"})
    assert not UserSession.objects.exists()
    return old


def ask(tab):
    return lambda: tab.get("/")


def test_six_parallel_first_requests(ada, old, settings):
    """
    One browser, one session. Fails where ``adopt()`` does not look whether this key
    has been adopted: six, or five of its requests displaced.
    """
    settings.SESSION_LIMIT = 10
    tabs = [old.another() for _ in range(6)]
    responses = at_once([ask(tab) for tab in tabs], before=LOCK)
    assert [response.status_code for response in responses] == [200] * 6
    assert len(live(ada)) == UserSession.objects.count() == 1
    for tab in tabs:
        assert whose(tab.key) == "ada"
        assert tab.key == old.key or stores.is_cookie()


def test_refused_and_replayed_in_parallel(ada, old):
    """
    The place is taken, by a sign-in. Fails where only a live row counts as this key's
    adoption: six tombstones, and adopted once the place is free.
    """
    phone = Tab()
    phone.sign_in(ada)
    responses = at_once([ask(old.another()) for _ in range(6)], before=LOCK)
    assert all(is_told(response) for response in responses)
    assert UserSession.objects.ended().count() == 1
    assert stores.keeps_only(phone.key)

    phone.post("/logout/")
    assert is_told(old.get("/"))
    assert live(ada) == []


def test_stored_once_more(ada, old):
    """
    A store may bring back what was deleted: it stays ended. Fails as the one before.
    """
    cookie, entry = old.key, stores.read(old.key)
    phone = Tab()
    phone.sign_in(ada)
    old.get("/")
    phone.post("/logout/")
    stores.write(cookie, entry)
    for _ in range(3):
        assert is_told(old.another().get("/"))
    assert live(ada) == []


@stores.CHOSEN
def test_a_signed_cookie_replayed(ada, browser, settings):
    """
    There is nothing to delete: the client keeps it. Fails as the ones before.
    """
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    old = browser()
    old.post("/set-by-hand/", {"username": "ada"})
    copy = old.another()
    assert old.get("/").status_code == 200
    old.post("/logout/")
    for _ in range(3):
        assert copy.another().get("/").status_code == 401
    assert live(ada) == []


@ROW_LOCKS
def test_a_sign_in_waits_for_an_adoption(ada, old):
    """
    And displaces it. Fails where ``adopt()`` does not lock the account: two are live.
    """
    phone = Tab()
    with (
        aside(ask(old), before=RECORD) as adopting,
        aside(lambda: phone.sign_in(ada)) as signing_in,
    ):
        until_blocked()
        assert adopting.result().status_code in {200, 401}
        assert signing_in.result().status_code == 302
    assert is_only_live(ada, phone)
    assert whose(phone.key) == "ada"
    assert whose(old.key) is None


@ROW_LOCKS
def test_an_adoption_waits_for_a_sign_in(ada, old):
    """And does not displace it: it counts as the oldest. Fails as the one before."""
    phone = Tab()
    with (
        aside(lambda: phone.sign_in(ada), before=RECORD) as signing_in,
        aside(ask(old)) as adopting,
    ):
        until_blocked()
        assert signing_in.result().status_code == 302
        assert is_told(adopting.result())
    assert is_only_live(ada, phone)
    assert whose(phone.key) == "ada"
