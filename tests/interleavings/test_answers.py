"""Responses that arrive late, and browsers that are signed in automatically."""

from __future__ import annotations

import pytest

from session_limit.models import UserSession
from session_limit.pages import use_here
from tests import stores
from tests.interleavings.browsers import (
    NAVIGATION,
    POLL,
    is_only_live,
    is_told,
    key_in,
    whose,
)
from tests.interleavings.gates import LOAD, SAVE, aside

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.interleavings.urls"),
]


@pytest.mark.parametrize("every_request", [False, True])
@pytest.mark.parametrize("path", ["/", "/whoami/", "/write/"])
def test_a_late_poll_leaves_the_cookie(ada, browser, settings, path, every_request):
    """
    A page of the ended session polls, and before the answer arrives, "Use here instead"
    has set a new cookie. Fails if every answer to an ended session deletes its cookie,
    or sets one.
    """
    settings.SESSION_SAVE_EVERY_REQUEST = every_request
    laptop, phone = browser(), browser()
    laptop.sign_in(ada)
    phone.sign_in(ada)
    page = laptop.another()
    with aside(lambda: page.get(path, headers=POLL), after=LOAD) as poll:
        assert laptop.get("/", headers=NAVIGATION).status_code == 401
        laptop.sign_in(ada)
        response = poll.result()
    if path == "/":
        assert is_told(response)
    if path != "/write/":
        assert key_in(response.cookies) is None
    assert whose(laptop.key) == "ada"


def test_a_navigation_takes_the_cookie_away(ada, browser):
    """
    The answer to a navigation deletes the cookie, because the person has read why the
    session ended.
    """
    laptop, phone = browser(), browser()
    laptop.sign_in(ada)
    phone.sign_in(ada)
    response = laptop.get("/", headers=NAVIGATION)
    assert response.status_code == 401
    assert key_in(response.cookies) == ""


@pytest.fixture
def by_itself(settings):
    """Return a function that opens a page through a proxy that names the user."""
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.RemoteUserMiddleware",
    ]
    settings.AUTHENTICATION_BACKENDS = [
        "django.contrib.auth.backends.RemoteUserBackend"
    ]

    def get(tab):
        return tab.get("/", REMOTE_USER="ada")

    return get


def test_two_browsers_that_sign_in_by_themselves(ada, browser, by_itself):
    """
    Two browsers that sign in automatically do not displace each other endlessly. Fails
    if a middleware's sign-in is admitted in a browser with an ended session: eight of
    eight requests are.
    """
    laptop, phone = browser(), browser()
    assert by_itself(laptop).status_code == 200
    for _ in range(4):
        assert by_itself(phone).status_code == 200
        assert is_told(by_itself(laptop))
    assert UserSession.objects.count() == 2
    assert is_only_live(ada, phone)


@stores.KEPT
def test_two_browsers_that_sign_in_by_themselves_at_once(ada, browser, by_itself):
    """
    The first browser is displaced before it has received a cookie. It may sign in once
    more, as a browser without a session; after that the other one waits for a person.
    Fails like the test before.
    """
    laptop, phone = browser(), browser()
    with aside(lambda: by_itself(laptop), before=SAVE) as first:
        assert by_itself(phone).status_code == 200
        assert is_told(first.result())
    assert laptop.key is None
    for _ in range(4):
        assert by_itself(laptop).status_code == 200
        assert is_told(by_itself(phone))
    assert UserSession.objects.count() == 3
    assert is_only_live(ada, laptop)


def test_use_here_instead(ada, browser, by_itself):
    """
    "Use here instead" signs this browser in, and the other browser is told why its
    session ended. Fails if the choice has no effect.
    """
    laptop, phone = browser(), browser()
    by_itself(laptop)
    by_itself(phone)
    assert is_told(by_itself(laptop))
    (ended,) = UserSession.objects.ended()
    chosen = {"token": use_here.token(ended.pk), "next": "/"}
    response = laptop.post("/account/sessions/ended/", chosen, REMOTE_USER="ada")
    assert response.status_code == 302
    assert by_itself(laptop).status_code == 200
    assert is_told(by_itself(phone))


def test_denied_by_itself(ada, browser, by_itself, settings):
    """
    Each request tries again to sign in and is refused, but no row is recorded. Fails if
    refused sign-ins are.
    """
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop, phone = browser(), browser()
    assert by_itself(laptop).status_code == 200
    for _ in range(4):
        assert by_itself(phone).status_code == 403
        assert by_itself(laptop).status_code == 200
    assert UserSession.objects.count() == 1
