"""Refused sign-ins, including those whose exception other code replaced or caught."""

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
    """Sign in the browser that occupies the only place."""
    laptop = Tab()
    laptop.sign_in(ada)
    return laptop


def is_refused(response):
    return response.status_code == 403 and response.json()["code"] == "session_limit"


@stores.KEPT
@pytest.mark.parametrize("cart", [False, True])
def test_a_second_tab_refused_takes_no_cookie_away(ada, browser, cart):
    """
    Two tabs of one browser sign in, and the later one is refused. Its answer must not
    touch the cookie that the earlier one received, or no browser could use the place.
    Fails if a refusal saves, empties or deletes the session as other responses do.
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
    As above, but the second tab signs in after the first one was admitted, with the
    earlier cookie, whose stored session has been deleted. Fails if the answer to an
    unknown key deletes the cookie.
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
    A session is stored with its response, and keeps its place until then. Fails if an
    admission takes a session that is not stored yet for a deleted one.
    """
    phone, laptop = browser(), browser()
    with aside(lambda: phone.sign_in(ada), before=SAVE) as first:
        assert is_refused(laptop.sign_in(ada))
        assert first.result().status_code == 302
    assert whose(phone.key) == "ada"


def test_the_request_is_nobodys(ada, laptop, browser):
    """
    After a refusal, every way to read the user finds nobody: ``login()`` has put the
    user on the request, and from Django 6.0 on ``auser()`` caches another. Fails if a
    refusal resets only one of them.
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
    """
    Django REST framework turns a refusal into an exception of its own, which takes two
    arguments. It is still answered as a refusal.
    """
    assert is_refused(browser().post("/reraise/", {"username": "ada"}))


def test_its_arguments():
    """
    The exception has at most two arguments: with three, raising it as Django REST
    framework does would be a ``TypeError``.
    """
    assert len(SessionLimitReached().args) <= 2
    assert isinstance(SessionLimitReached(), PermissionDenied)


def test_swallowed(ada, laptop, browser):
    """
    allauth's OAuth flow catches the exception and answers as if nobody had signed in.
    Fails if the exception, rather than the recorded refusal, decides on the answer.
    """
    phone = browser()
    view = "swallow-async" if phone.asynchronous else "swallow"
    assert is_refused(phone.post(f"/{view}/", {"username": "ada"}))
    assert whose(laptop.key) == "ada"


@pytest.mark.parametrize("view", ["swallow", "reraise"])
def test_an_anonymous_session_stays(ada, laptop, browser, atomic_requests, view):
    """
    Whether the view's transaction is committed or rolled back, the cart is still there,
    under the browser's key. Fails if the anonymous session stays under the key that
    ``login()`` gave it.
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
