"""
A browser that was asked and has not chosen yet is signed in nowhere, whatever it
requests.
"""

from __future__ import annotations

import pytest
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.urls import URLPattern, get_resolver
from django.urls.resolvers import URLResolver

from session_limit.models import UserSession
from session_limit.pages.chooser import COOKIE
from tests.stories.people import JSON, NOBODY, SIGNED_IN, live

HTML = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
# This page alone is for a pending sign-in.
CHOOSER = "/account/sessions/choose/"

seen = []


class ReadsEarly(AuthenticationMiddleware):
    """Read the user before and after the view, as a project's middleware may do."""

    def process_request(self, request):
        super().process_request(request)
        seen.append((request.path, str(request.user), dict(request.session)))

    def process_response(self, request, response):
        seen.append((request.path, str(request.user), dict(request.session)))
        return response


def paths(patterns, prefix="/"):
    """Yield one address for each URL pattern."""
    for pattern in patterns:
        route = str(pattern.pattern)
        for name, value in (
            ("<uuid:id>", "01a214c9-f679-7de7-ac52-6a17aff4dc17"),
            ("<path:object_id>", "1"),
            ("<int:content_type_id>", "1"),
            ("<path:object_id>", "1"),
            ("<id>", "1"),
            ("<str:status>", "404"),
        ):
            route = route.replace(name, value)
        if isinstance(pattern, URLResolver):
            yield from paths(pattern.url_patterns, prefix + route.lstrip("^"))
        elif isinstance(pattern, URLPattern) and not set("<(?$\\") & set(route):
            yield prefix + route


@pytest.fixture
def asked(ada, laptop, phone, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    ada.is_staff = ada.is_superuser = True
    ada.save()
    laptop.sign_in(path="/login/")
    # LoginRequiredMiddleware lets this page through.
    phone.sign_in(path="/login/", headers=HTML)
    assert COOKIE in phone.client.cookies
    return phone


@pytest.fixture(params=["as it is", "LoginRequiredMiddleware", "reads early"])
def middleware(request, settings):
    if request.param == "LoginRequiredMiddleware":
        settings.MIDDLEWARE = [
            *settings.MIDDLEWARE,
            "django.contrib.auth.middleware.LoginRequiredMiddleware",
        ]
    elif request.param == "reads early":
        settings.MIDDLEWARE = [
            f"{__name__}.ReadsEarly"
            if name == "django.contrib.auth.middleware.AuthenticationMiddleware"
            else name
            for name in settings.MIDDLEWARE
        ]
    return request.param


# These act on every visitor's session in the same way, and one of them always raises.
LEFT_OUT = (
    *("/interrupted/", "/ainterrupted/", "/play/", "/aplay/", "/sign-in-"),
    *("/stream", "/astream"),
)


def test_every_address_takes_them_for_nobody(middleware, asked, laptop, browser):
    # The fixture ``middleware`` comes first, because a client loads its middleware
    # once.
    addresses = sorted(set(paths(get_resolver().url_patterns)) - {CHOOSER})
    addresses = [each for each in addresses if not each.startswith(LEFT_OUT)]
    assert len(addresses) > 40
    assert any(each.startswith("/admin/auth/") for each in addresses)
    stranger, headers = browser(asked.user_agent), dict(asked.headers)
    asked.client.raise_request_exception = False
    stranger.client.raise_request_exception = False
    seen.clear()
    for path in addresses:
        for method, kind in (("get", HTML), ("get", JSON), ("post", HTML)):
            answers = [
                visitor.call(method, path, headers={**headers, **kind})
                for visitor in (asked, stranger)
            ]
            statuses = [answer.status_code for answer in answers]
            assert statuses[0] == statuses[1], (path, method, statuses)
            assert b"Hello ada" not in answers[0].content
    assert {name for _, name, _ in seen} <= {"AnonymousUser"}
    assert not [data for _, _, data in seen if "_auth_user_id" in data]
    assert (middleware == "reads early") == bool(seen)
    assert asked.state == NOBODY
    assert laptop.state == SIGNED_IN
    assert len(live()) == 1


def test_its_cookie_is_no_session(asked, browser):
    """
    The pending sign-in's cookie holds no session key and no id, and authenticates
    nobody.
    """
    secret = asked.client.cookies[COOKIE].value
    thief = browser(asked.user_agent)
    for cookie in (secret, secret[::-1], f"{secret}:1abc:def"):
        thief.cookie = cookie
        assert thief.name is None
        assert thief.state == NOBODY
    row = UserSession.objects.get()
    assert secret not in {row.session_key, row.pk.hex, row.key_digest}


def test_no_replay_of_a_session_from_before_is_anybody(asked, laptop, browser):
    """A client keeps nothing of the sign-in that was undone."""
    assert asked.cookie is None or "_auth_user_id" not in asked.stored
    replayed = browser(asked.user_agent)
    replayed.cookie = asked.cookie
    assert replayed.name is None


def test_the_middleware_is_where_it_belongs(settings):
    """
    If the middleware were elsewhere, the test that reads early would prove nothing.
    """
    names = list(settings.MIDDLEWARE)
    session = f"{SessionMiddleware.__module__}.{SessionMiddleware.__qualname__}"
    if session in names:
        ours = "session_limit.middleware.SessionLimitMiddleware"
        assert names.index(ours) == names.index(session) + 1
