"""
A client may make up the value of its session cookie.

The server never stores anything under such a key. An attacker who planted it in a
person's browser would otherwise know the key of that person's session (ASVS 7.2.3).
"""

from __future__ import annotations

import re

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
    """Refuse sign-ins at the limit, and return the status of the answer."""
    settings.SESSION_LIMIT_AT_LIMIT = request.param
    return {"deny": 403, "ask": 303}[request.param]


@pytest.fixture
def atomic_requests():
    connections.settings["default"]["ATOMIC_REQUESTS"] = True
    yield
    connections.settings["default"]["ATOMIC_REQUESTS"] = False


def assert_is_moved(response, laptop, phone, key):
    """Assert that what the view wrote is stored under a key that the server chose."""
    assert set_cookie(response) not in {None, "", key}
    assert phone.stored["writes"] == 1
    assert only_kept(laptop, phone)


@pytest.mark.parametrize("key", KEYS)
def test_a_refused_sign_in_stores_under_a_new_key(ada, laptop, phone, refusal, key):
    """
    Fails if what the view wrote is stored under the key in the cookie. Some of these
    keys lead to a 500 then, and with the others an attacker knows the key.
    """
    laptop.sign_in()
    phone.cookie = key
    response = phone.post(phone.path("play"), {"acts": "write login:ada"})
    assert response.status_code == refusal
    assert_is_moved(response, laptop, phone, key)
    assert len(live(ada)) == 1


@pytest.mark.parametrize("key", KEYS)
def test_a_refused_sign_in_with_nothing_to_keep(ada, laptop, phone, refusal, key):
    """The answer sets no cookie, because another tab may just have received one."""
    laptop.sign_in()
    phone.cookie = key
    response = phone.sign_in()
    assert response.status_code == refusal
    assert set_cookie(response) is None
    assert only_kept(laptop)


def test_a_key_that_was_loaded_is_kept(ada, laptop, phone, refusal):
    """An anonymous session keeps its key, and its browser receives no new cookie."""
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
    """
    A key that the server once gave out is not safe either: somebody may have kept it.
    """
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
    """Every other page answers as usual, and stores nothing under the key."""
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
    """A store without transactions still holds what ``login()`` stored."""
    phone.cookie = key
    response = phone.post("/play/", {"acts": "write login:ada rollback"})
    assert response.status_code == 200
    assert set_cookie(response) != key
    assert only_kept(*([] if phone.cookie in {None, key} else [phone]))
    assert live(ada) == []


@pytest.mark.parametrize("key", KEYS)
def test_a_session_that_is_emptied_unread(ada, laptop, phone, refusal, key):
    """The view never read the session, so that nothing is known about the key."""
    laptop.sign_in()
    phone.cookie = key
    response = phone.post(phone.path("play"), {"acts": "clear write login:ada"})
    assert response.status_code == refusal
    assert_is_moved(response, laptop, phone, key)


SPELLINGS = {
    "capitals": str.upper,
    "one capital": lambda key: re.sub(
        "[a-z]", lambda each: each[0].upper(), key, count=1
    ),
    "a space behind": lambda key: f'"{key} "',
    "accents": lambda key: key.translate(str.maketrans("aeiouyncsz", "áéíóúýñçšž")),
    "wide letters": lambda key: key.translate({97 + n: 0xFF41 + n for n in range(26)}),
    "other digits": lambda key: key.translate({49 + n: 0x661 + n for n in range(9)}),
    "one more": "{}0".format,
    "one less": lambda key: key[:-1],
}


@pytest.mark.skipif(stores.is_cookie(), reason="the whole session is signed")
@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_another_spelling_of_a_key_is_another_key(
    ada, laptop, phone, tablet, refusal, spelling
):
    """
    Fails on MariaDB if the database decides: it compares keys without regard to case,
    accents and trailing spaces, so that a session would continue under a key that the
    client spelled differently.
    """
    laptop.sign_in()
    phone.write()
    for key in (laptop.cookie, phone.cookie):
        written = f"sessionid={spelling(key)}".encode().decode("latin-1")
        headers = {"Cookie": written}
        tablet.cookie = None
        assert tablet.get(tablet.path("whoami"), headers=headers).json() == {
            "user": None
        }
        assert tablet.sign_in(headers=headers).status_code == refusal
        assert tablet.write(headers=headers).json()["n"] == 1
        assert tablet.cookie not in {None, key}
        assert tablet.cookie == tablet.cookie.lower()
        stores.engine()().delete(tablet.cookie)
    assert laptop.name == "ada"
    assert phone.write().json()["n"] == 2
    assert only_kept(laptop, phone)
