"""
The body of a streaming response calls ``login()``.

The headers have been sent by then, so that no browser would receive the cookie of a
session that displaces another.
"""

from __future__ import annotations

import pytest
from django.contrib.auth import login
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpResponse
from django.test import Client, RequestFactory

from session_limit.exceptions import TooLateToSignIn
from session_limit.middleware import SessionLimitMiddleware
from tests import stores
from tests.blocking import blocking
from tests.stories import views
from tests.stories.people import SIGNED_IN, live, only_kept, set_cookie, statements


def body(visitor, path):
    """Request the page, and read its body to the end as a server does."""
    response = visitor.get(path)
    assert response.streaming

    async def read():
        return b"".join([part async for part in response.streaming_content])

    text = blocking(read)() if response.is_async else response.getvalue()
    return response, text.decode()


@pytest.mark.parametrize("at_limit", ["displace", "deny", "ask"])
@pytest.mark.parametrize("query", ["", "?read"])
def test_nobody_is_displaced_by_it(ada, laptop, phone, settings, at_limit, query):
    """
    This holds for each kind of limit, and whether or not the view read the session.
    """
    settings.SESSION_LIMIT_AT_LIMIT = at_limit
    laptop.sign_in()
    response, text = body(phone, phone.path("stream") + query)
    assert text == "Signing in."
    error, name = views.raised
    assert isinstance(error, TooLateToSignIn)
    assert "before the view returns" in str(error)
    assert name is None
    assert set_cookie(response) is None
    assert laptop.state == SIGNED_IN
    assert live(ada) == [laptop.row]
    assert only_kept(laptop)


def test_an_anonymous_session_stays(ada, laptop, phone):
    """``login()`` would first give it another key, and could not tell the browser."""
    laptop.sign_in()
    phone.post("/cart/", {"cart": "tea"})
    body(phone, phone.path("stream"))
    assert isinstance(views.raised[0], TooLateToSignIn)
    assert phone.stored["cart"] == "tea"
    assert only_kept(laptop, phone)


def test_who_is_signed_in_already_stays(ada, laptop):
    laptop.sign_in()
    key = laptop.cookie
    body(laptop, laptop.path("stream"))
    assert isinstance(views.raised[0], TooLateToSignIn)
    assert laptop.state == SIGNED_IN
    assert live(ada) == [laptop.row]
    if not stores.is_cookie():
        assert laptop.cookie == key


def test_before_the_body_it_is_a_sign_in(ada, laptop, phone):
    laptop.sign_in()
    response = phone.get(phone.path("stream-signing-in-before"))
    assert set_cookie(response)
    assert phone.state == SIGNED_IN
    assert laptop.state == "displaced"


def test_a_stream_costs_nothing_more(ada, laptop):
    laptop.sign_in()
    with statements() as ran:
        laptop.get("/public/")
    assert ran == []


def test_the_test_clients_sign_in_is_none_of_a_response(ada):
    """``force_login()`` signs in without a response, before and after requests."""
    client = Client()
    client.force_login(ada)
    assert client.get("/members/").status_code == 200
    client.force_login(ada)
    assert client.get("/members/").status_code == 200
    assert len(live(ada)) == 1


def test_a_request_that_is_tried_again(ada):
    """Code around the middleware may pass the same request through it twice."""
    seen = []

    def view(request):
        login(request, ada, backend=views.BACKEND)
        seen.append(request.user.pk)
        return HttpResponse()

    inner = SessionLimitMiddleware(AuthenticationMiddleware(view))
    outer = SessionMiddleware(lambda request: (inner(request), inner(request))[1])
    assert outer(RequestFactory().get("/")).cookies
    assert seen == [ada.pk, ada.pk]
    assert len(live(ada)) == 1


def test_without_the_middleware(ada, settings, laptop):
    """
    Nothing knows about the response in this case, and Django's own behaviour stays.
    """
    settings.MIDDLEWARE = [
        name for name in settings.MIDDLEWARE if not name.startswith("session_limit")
    ]
    body(laptop, laptop.path("stream"))
    assert views.raised == [None, "ada"]
