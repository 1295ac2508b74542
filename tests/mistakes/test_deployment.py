"""An ASGI application without the guard, and a bus that stays in its process."""

from __future__ import annotations

import functools

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.test import override_settings

from session_limit.asgi import SessionGuard
from session_limit.bus import Bus
from session_limit.checks.deployment import check_guard
from tests.mistakes.messages import said, the_message


class Crossing(Bus):
    crosses_processes = True


CROSSING = {"BACKEND": f"{__name__}.Crossing"}


class Wrapper:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


def closure(app):
    async def application(scope, receive, send):
        await app(scope, receive, send)

    return application


def router(app):
    found = Wrapper(None)
    found.application_mapping = {"http": app}
    return found


bare = ASGIHandler()
wrapped_bare = Wrapper(closure(ASGIHandler()))
guarded = SessionGuard(ASGIHandler())
outside = Wrapper(guarded)
in_closure = closure(Wrapper(guarded))
in_router = router(guarded)
in_partial = functools.partial(guarded)
bound = guarded.__call__


@pytest.mark.parametrize("name", ["bare", "wrapped_bare"])
def test_an_application_without_the_guard(name):
    with override_settings(ASGI_APPLICATION=f"{__name__}.{name}"):
        text = the_message(check_guard, "W413")
    assert f'"{__name__}.{name}" is not wrapped in SessionGuard' in text


GUARDED = ["guarded", "outside", "in_closure", "in_router", "in_partial", "bound"]


@pytest.mark.parametrize("name", GUARDED)
def test_an_application_with_the_guard(name):
    with override_settings(
        ASGI_APPLICATION=f"{__name__}.{name}", SESSION_LIMIT_BUS=CROSSING
    ):
        assert said(check_guard) == {}


@pytest.mark.parametrize("name", GUARDED)
def test_a_bus_that_stays_in_its_process(name):
    with override_settings(ASGI_APPLICATION=f"{__name__}.{name}"):
        assert "only its own process" in the_message(check_guard, "W414")


@pytest.mark.parametrize("path", [None, "", 3, "nowhere.application", f"{__name__}.no"])
def test_a_project_without_an_asgi_application(path):
    with override_settings(ASGI_APPLICATION=path):
        assert said(check_guard) == {}


@override_settings(
    ASGI_APPLICATION=f"{__name__}.guarded", SESSION_LIMIT_BUS={"BACKEND": "nowhere.Bus"}
)
def test_of_a_bus_that_is_none_another_check_tells():
    assert said(check_guard) == {}
