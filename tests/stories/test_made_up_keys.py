"""
A client makes up the value of its session cookie. The server never stores anything
under such a key: an attacker who planted it in somebody's browser would know the key of
that person's session (ASVS 7.2.3).
"""

from __future__ import annotations

import pytest
from django.db import connections

from tests import stores
from tests.stories.people import live, only_kept, set_cookie

KEYS = [
    "attackerchosenkey1234567890abcde",
    "k" * 30,
    "k" * 40,
    "k" * 41,
    "k" * 60,
    "k" * 300,
    "k" * 9000,
    "../../../evil",
    "../sessionidevil",
    "aaaa bbbb cccc",
    "aéb" * 5,
    "aaaa\0bbbb\0cccc",
    "aaaa\r\nbbbb\r\ncccc",
    "'; DROP TABLE x; --",
    "e30:1abcde:madeupsignature",
]


@pytest.fixture(params=["deny", "ask"])
def refusal(request, settings):
    """Refuse at the limit; return the status of the answer."""
    settings.SESSION_LIMIT_AT_LIMIT = request.param
    return {"deny": 403, "ask": 303}[request.param]


@pytest.fixture
def atomic_requests():
    connections.settings["default"]["ATOMIC_REQUESTS"] = True
    yield
    connections.settings["default"]["ATOMIC_REQUESTS"] = False


def assert_is_moved(response, laptop, phone, key):
    """What the view had written is stored under a key that the server has chosen."""
    if "\0" in key:
        # No database takes it: as a browser without a cookie, this one is given none.
        assert set_cookie(response) in {None, ""}
        assert only_kept(laptop)
    else:
        assert set_cookie(response) not in {None, "", key}
        assert phone.stored["writes"] == 1
        assert only_kept(laptop, phone)


@pytest.mark.parametrize("key", KEYS)
def test_a_refused_sign_in_stores_under_a_new_key(ada, laptop, phone, refusal, key):
    """
    Fails where what the view had written goes under the key in the cookie: with some of
    these keys the answer is a 500 then, with others somebody knows where it is.
    """
    laptop.sign_in()
    phone.cookie = key
    response = phone.post(phone.path("play"), {"acts": "write login:ada"})
    assert response.status_code == refusal
    assert_is_moved(response, laptop, phone, key)
    assert len(live(ada)) == 1


@pytest.mark.parametrize("key", KEYS)
def test_a_refused_sign_in_with_nothing_to_keep(ada, laptop, phone, refusal, key):
    """It touches no cookie: another tab may just have been given one."""
    laptop.sign_in()
    phone.cookie = key
    response = phone.sign_in()
    assert response.status_code == refusal
    assert set_cookie(response) is None
    assert only_kept(laptop)


def test_a_key_that_was_loaded_is_kept(ada, laptop, phone, refusal):
    """The browser of an anonymous session keeps its key, and gets no new cookie."""
    laptop.sign_in()
    phone.post("/cart/", {"cart": "tea"})
    key = phone.cookie
    response = phone.post(phone.path("play"), {"acts": "write login:ada"})
    assert response.status_code == refusal
    if not stores.is_cookie():
        assert set_cookie(response) is None
        assert phone.cookie == key
        assert phone.stored["writes"] == 1
    assert phone.stored["cart"] == "tea"
    assert only_kept(laptop, phone)


def test_the_key_of_a_session_that_is_gone_is_made_up(ada, laptop, phone, refusal):
    """A key that the server gave once is no better: somebody else may have kept it."""
    laptop.sign_in()
    phone.post("/cart/", {"cart": "tea"})
    key = phone.cookie
    if not stores.is_cookie():
        stores.engine()().delete(key)
        response = phone.post(phone.path("play"), {"acts": "write login:ada"})
        assert response.status_code == refusal
        assert set_cookie(response) not in {None, "", key}
        assert only_kept(laptop, phone)


@pytest.mark.parametrize("key", KEYS)
def test_what_else_reads_and_writes(ada, laptop, phone, key):
    """Every other door gives its ordinary answer, and stores nothing under the key."""
    laptop.sign_in()
    phone.cookie = key
    assert phone.open().status_code == 302
    phone.cookie = key
    response = phone.write()
    assert response.status_code == 200
    assert set_cookie(response) not in {None, "", key}
    phone.cookie = key
    assert phone.get(phone.path("flush")).status_code == 200
    phone.cookie = key
    status = phone.get("/account/sessions/status/")
    assert status.json() == {"version": 1, "code": "nobody"}
    phone.cookie = key
    assert phone.get("/account/sessions/ended/").status_code == 302
    phone.cookie = key
    assert phone.get("/account/sessions/choose/").status_code == 410
    phone.cookie = key
    assert phone.sign_in().status_code == 302
    assert phone.cookie != key
    assert key not in stores.kept()
    assert laptop.state == "displaced"


@pytest.mark.parametrize("key", KEYS)
def test_a_sign_in_that_is_rolled_back(ada, phone, atomic_requests, key):
    """A store that rolls nothing back still holds what ``login()`` stored."""
    phone.cookie = key
    response = phone.post("/play/", {"acts": "write login:ada rollback"})
    assert response.status_code == 200
    assert set_cookie(response) != key
    assert only_kept(*([] if phone.cookie in {None, key} else [phone]))
    assert live(ada) == []


@pytest.mark.parametrize("key", KEYS)
def test_a_session_that_is_emptied_unread(ada, laptop, phone, refusal, key):
    """Nobody has looked whether the store holds anything under the key."""
    laptop.sign_in()
    phone.cookie = key
    response = phone.post(phone.path("play"), {"acts": "clear write login:ada"})
    assert response.status_code == refusal
    assert_is_moved(response, laptop, phone, key)
