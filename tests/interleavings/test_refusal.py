"""A sign-in that is refused, and what has happened to its exception on the way."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied

from session_limit.exceptions import SessionLimitReached
from tests import stores
from tests.interleavings import urls
from tests.interleavings.browsers import Tab, key_in, live, whose
from tests.interleavings.gates import CREATE, SAVE, aside

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.interleavings.urls"),
]


@pytest.fixture(autouse=True)
def deny(settings):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"


@pytest.fixture
def laptop(ada):
    """The browser that has the one place."""
    laptop = Tab()
    laptop.sign_in(ada)
    return laptop


def is_refused(response):
    return response.status_code == 403 and response.json()["code"] == "session_limit"


@stores.KEPT
@pytest.mark.parametrize("cart", [False, True])
def test_a_second_tab_refused_takes_no_cookie_away(ada, browser, cart):
    """
    Both tabs of one browser sign in; the later one is refused. Its answer must not
    touch the cookie with which the earlier one was admitted, or nobody has the place.
    Fails where a refusal saves, empties or forgets the session as any other answer.
    """
    tab = browser()
    if cart:
        tab.get("/put/?item=book")
    other = tab.another()
    with aside(lambda: other.sign_in(ada), before=CREATE) as late:
        assert tab.sign_in(ada).status_code == 302
        response = late.result()
    assert is_refused(response)
    assert key_in(response.cookies) is None
    assert whose(tab.key) == "ada"
    assert len(live(ada)) == 1


def test_a_second_tab_with_a_key_that_is_gone(ada, browser):
    """
    The same, where it was sent after the first was admitted, with the cookie from
    before: what that led to was deleted. Fails where a key that leads nowhere is
    answered by deleting the cookie.
    """
    tab = browser()
    tab.get("/put/?item=book")
    other = tab.another()
    tab.sign_in(ada)
    response = other.sign_in(ada)
    assert is_refused(response)
    assert key_in(response.cookies) is None
    assert whose(tab.key) == "ada"


@stores.KEPT
def test_one_that_was_admitted_and_is_not_saved_keeps_its_place(ada, browser):
    """
    Its session's data are stored with its response. Fails if ``end_unusable()`` ends a
    session because its data are not stored yet.
    """
    phone, laptop = browser(), browser()
    with aside(lambda: phone.sign_in(ada), before=SAVE) as first:
        assert is_refused(laptop.sign_in(ada))
        assert first.result().status_code == 302
    assert whose(phone.key) == "ada"


def test_the_request_is_nobodys(ada, laptop, browser):
    """
    However it is asked: ``login()`` has put the user on the request, and ``auser()``
    remembers one of its own from Django 6.0 on. Fails where a refusal resets only one.
    """
    phone = browser()
    phone.get("/put/?item=book")
    view = "who-after-refusal-async" if phone.asynchronous else "who-after-refusal"
    assert is_refused(phone.post(f"/{view}/", {"username": "ada"}))
    session = stores.without_the_engines(urls.seen.pop("session"))
    assert session == {"cart": "book"}
    assert set(urls.seen.values()) == {""}
    assert len(urls.seen) == (2 if phone.asynchronous else 1)
    assert phone.get("/cart/").json() == {"cart": "book"}
    assert whose(phone.key) is None


def test_raised_anew(ada, laptop, browser):
    """As Django REST framework does, whose exception takes two arguments."""
    assert is_refused(browser().post("/reraise/", {"username": "ada"}))


def test_its_arguments():
    """At most two: three are a ``TypeError`` where it is raised anew."""
    assert len(SessionLimitReached().args) <= 2
    assert isinstance(SessionLimitReached(), PermissionDenied)


def test_swallowed(ada, laptop, browser):
    """
    As allauth's OAuth flow does: the view answers as if nobody had signed in. Fails
    where the exception decides on the answer, and not the mark.
    """
    phone = browser()
    view = "swallow-async" if phone.asynchronous else "swallow"
    assert is_refused(phone.post(f"/{view}/", {"username": "ada"}))
    assert whose(laptop.key) == "ada"


@pytest.mark.parametrize("view", ["swallow", "reraise"])
def test_an_anonymous_session_stays(ada, laptop, browser, atomic_requests, view):
    """
    Whether its transaction was committed or rolled back: what was in the cart is
    there, under the key that the browser has. Fails where the anonymous session is left
    under the key that ``login()`` gave it.
    """
    phone = browser()
    phone.get("/put/?item=book")
    key = phone.key
    response = phone.post(f"/{view}/", {"username": "ada"})
    assert is_refused(response)
    assert key_in(response.cookies) is None
    assert phone.key == key
    assert phone.get("/cart/").json() == {"cart": "book"}
    assert stores.keeps_only(key, laptop.key)
    assert whose(key) is None
