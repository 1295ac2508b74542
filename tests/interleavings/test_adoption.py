"""Sessions that were signed in before the package was installed are adopted once."""

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
    """A browser that signed in before its session was recorded."""
    old = browser()
    old.post("/set-by-hand/", {"username": "ada"})
    assert not UserSession.objects.exists()
    return old


def ask(tab):
    return lambda: tab.get("/")


def test_six_parallel_first_requests(ada, old, settings):
    """
    Six parallel first requests of one browser adopt one session. Fails if ``adopt()``
    does not look for an earlier adoption of this key: there are six sessions, or five
    of the requests are answered as displaced.
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
    A sign-in has taken the place, so the old session is recorded once, as ended. Fails
    if only a live row counts as the adoption of a key: there are six tombstones, and a
    replay is adopted once the place is free.
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
    A session stays ended even if the store brings back the data that was deleted. Fails
    like the test before.
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
    A signed cookie cannot be deleted, because the client keeps it. A copy of one is not
    adopted again. Fails like the tests before.
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
    A sign-in waits for an adoption in progress, and then displaces that session. Fails
    if ``adopt()`` does not lock the account: two sessions are live.
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
    """
    An adoption waits for a sign-in in progress and does not displace it, because an
    adopted session counts as the oldest. Fails like the test before.
    """
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
