"""The guard around a WSGI application, the gateway around an ASGI application."""

from __future__ import annotations

import functools

import pytest
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application

from session_limit.asgi import SessionGuard
from session_limit.wsgi import SessionGateway


async def asgi(scope, receive, send): ...


def wsgi(environ, start_response):
    return []


class ASGIApplication:
    async def __call__(self, scope, receive, send): ...


class WSGIApplication:
    def __call__(self, environ, start_response):
        return []


class AnyApplication:
    def __call__(self, *args):
        return []


def old_asgi(scope):
    return asgi


def make_application():
    return asgi


ASGI = [ASGIHandler(), asgi, ASGIApplication(), functools.partial(asgi)]
ASGI += [SessionGuard(asgi), ASGIStaticFilesHandler(ASGIHandler())]
WSGI = [WSGIHandler(), wsgi, WSGIApplication(), functools.partial(wsgi)]
WSGI += [SessionGateway(wsgi)]
NEITHER = [None, 3, "mysite.asgi.application", object(), old_asgi, make_application]


def index(values):
    return [pytest.param(each, id=str(number)) for number, each in enumerate(values)]


@pytest.mark.parametrize("application", index(ASGI))
def test_an_asgi_application(application):
    assert SessionGuard(application).application is application
    with pytest.raises(TypeError) as raised:
        SessionGateway(application)
    text = str(raised.value)
    assert "is an ASGI application, which takes (scope, receive, send)" in text
    assert "session_limit.asgi.SessionGuard" in text


@pytest.mark.parametrize("application", index(WSGI))
def test_a_wsgi_application(application):
    assert SessionGateway(application).application is application
    with pytest.raises(TypeError) as raised:
        SessionGuard(application)
    text = str(raised.value)
    assert "is a WSGI application, which takes (environ, start_response)" in text
    assert "session_limit.wsgi.SessionGateway" in text


@pytest.mark.parametrize("wrapper", [SessionGuard, SessionGateway])
@pytest.mark.parametrize("application", index(NEITHER))
def test_what_is_no_application(wrapper, application):
    with pytest.raises(TypeError, match=f"{wrapper.__name__} wraps an? "):
        wrapper(application)


@pytest.mark.parametrize(
    ("wrapper", "factory"),
    [
        (SessionGuard, get_asgi_application),
        (SessionGuard, make_application),
        (SessionGateway, get_wsgi_application),
    ],
)
def test_a_factory_that_was_not_called(wrapper, factory):
    with pytest.raises(TypeError, match="Call it to get the application"):
        wrapper(factory)


@pytest.mark.parametrize("wrapper", [SessionGuard, SessionGateway])
def test_an_application_that_takes_anything(wrapper):
    wrapper(AnyApplication())
