"""Session middleware of other packages, which need not be a subclass of Django's."""

from __future__ import annotations

import functools

import pytest
from django.contrib.sessions.middleware import SessionMiddleware
from django.test import override_settings
from django.utils.deprecation import MiddlewareMixin
from django.utils.module_loading import import_string

from session_limit.checks.middleware import check_middleware, sets_session
from tests.mistakes.messages import said, the_message

OURS = "session_limit.middleware.SessionLimitMiddleware"


def make_session(request):
    return {}


class Base:
    def __init__(self, get_response):
        self.get_response = get_response


class Old(MiddlewareMixin):
    """As the middleware of django-user-sessions."""

    def process_request(self, request):
        request.session = make_session(request)


class New(Base):
    """As a class that Django's documentation shows."""

    def __call__(self, request):
        request.session = make_session(request)
        return self.get_response(request)


class Asynchronous(New):
    async def __call__(self, request):
        setattr(request, "session", {})  # noqa: B010 the case at hand
        return await self.get_response(request)


class Child(Old):
    pass


def function(get_response):
    def middleware(request):
        request.session = make_session(request)
        return get_response(request)

    return middleware


def wrapping(get_response):
    inner = SessionMiddleware(get_response)

    def middleware(request):
        return get_response(request) if request.path == "/" else inner(request)

    return middleware


def attach(http_request):
    http_request.session = {}


class WithHelper(Base):
    def __call__(self, request):
        attach(request)
        return self.get_response(request)


@functools.wraps(function)
def decorated(*args):
    return function(*args)


partial = functools.partial(function)


class Reading(Base):
    """Uses the session that another middleware has set."""

    def __call__(self, request):
        request.session["seen"] = request.session.get("seen", 0) + 1
        request.session.set_expiry(60)
        del request.session["seen"]
        return self.get_response(request)


class WithClient(Base):
    """Has a session of the package "requests"."""

    def __init__(self, get_response):
        super().__init__(get_response)
        self.session = make_session(None)


class Caller(Base):
    def __call__(self, request):
        request.session_data = request.session
        return self.get_response(request)


def timing(get_response):
    def middleware(request):
        return get_response(request)

    return middleware


SETS = ["Old", "New", "Asynchronous", "Child", "function", "wrapping", "WithHelper"]
SETS += ["decorated", "partial"]
DOES_NOT = ["Reading", "WithClient", "Caller", "timing"]


@pytest.mark.parametrize("name", SETS)
def test_whatever_sets_the_session_is_session_middleware(name):
    with override_settings(MIDDLEWARE=[f"{__name__}.{name}", OURS]):
        assert said(check_middleware) == {}
    # And what stands between it and ours is still between.
    between = [f"{__name__}.{name}", f"{__name__}.timing", OURS]
    with override_settings(MIDDLEWARE=between):
        assert "not directly below" in the_message(check_middleware, "E103")


@pytest.mark.parametrize("name", DOES_NOT)
def test_what_only_uses_the_session_is_not(name):
    sessions = "django.contrib.sessions.middleware.SessionMiddleware"
    with override_settings(MIDDLEWARE=[sessions, f"{__name__}.{name}", OURS]):
        assert "not directly below" in the_message(check_middleware, "E103")


@pytest.mark.parametrize(
    "path",
    [
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.auth.middleware.RemoteUserMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.cache.UpdateCacheMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.gzip.GZipMiddleware",
        "django.middleware.locale.LocaleMiddleware",
        "django.middleware.security.SecurityMiddleware",
        "hijack.middleware.HijackUserMiddleware",
    ],
)
def test_other_middleware_is_not(path):
    assert not sets_session(import_string(path))


def test_the_middleware_of_qsessions_is():
    assert sets_session(import_string("qsessions.middleware.SessionMiddleware"))


@pytest.mark.parametrize("value", [None, 3, "middleware", [3, None], {"a": 1}])
def test_a_list_that_is_none_has_no_middleware(value):
    with override_settings(MIDDLEWARE=value):
        assert list(said(check_middleware)) == ["E101"]
