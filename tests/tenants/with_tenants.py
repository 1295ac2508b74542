"""
Queries that no request makes reach the tables of the tenant whose client they serve.

Each tenant has a user with the same id, and all tenants share the bus.
"""

from __future__ import annotations

import asyncio
import contextlib
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.db import DatabaseError
from django.test import RequestFactory

from session_limit import registry
from session_limit.asgi import hub
from session_limit.models import Play, UserSession
from session_limit.registry import connected
from session_limit.testing import PHONE
from session_limit.wsgi import SessionGateway
from tests.asgi.tellers import sweep_alone
from tests.asgi.test_gateway import ask_asgi
from tests.asgi.test_sockets import Application, story
from tests.asgi.wire import ENDED, Response, Socket, event, scope_of, until
from tests.stories.people import SIGNED_IN
from tests.tenants import ONE, TENANTS, TWO
from tests.tenants.projects import HAS_SCHEMAS, host, in_tenant

pytestmark = pytest.mark.django_db(transaction=True)

pytest_plugins = ["tests.tenants.fixtures"]

EVENTS = "/account/sessions/events/"


def headers(visitor, name=None):
    """Return the headers of a request to the visitor's tenant, or to another."""
    others = scope_of(visitor, "http", "/")["headers"][1:]
    return [(b"host", host(name or visitor.tenant).encode()), *others]


def at_host(connection, visitor, name=None):
    connection.scope["headers"] = headers(visitor, name)
    return connection


def feed(visitor):
    return at_host(Response(ASGIHandler(), visitor, "/feed/"), visitor)


def socket(visitor, name=None):
    return at_host(Socket(Application(), visitor), visitor, name)


def events(visitor):
    return at_host(Response(ASGIHandler(), visitor, EVENTS), visitor)


def end_all(name, reason=UserSession.Reason.REVOKED):
    with in_tenant(name):
        registry.end_all(get_user_model().objects.get(), reason)


async def ended(response):
    """Wait until a stream of ticks ends."""
    while (await response.body())[1]:
        pass
    await response.done()


async def goes_on(response):
    """Return whether a stream of ticks continues, apart from what is waiting."""
    while not response.to_client.empty():
        response.to_client.get_nowait()
    return (await response.body())[1]


async def watched(count):
    """Wait until the hub watches so many sessions and has verified all of them."""
    ours = hub.current_hub()
    await until(lambda: len(ours._listeners) == count)
    await until(lambda: not ours._has_work.is_set())


def test_only_the_streams_of_the_ended_session_end(browser, told_by):
    """Fails if the hub reads other tables than the request, or cuts both streams."""
    one, two = browser(ONE), browser(TWO)

    @story
    async def _():
        async with feed(one) as first, contextlib.AsyncExitStack() as stack:
            assert (await first.started())["status"] == 200
            # In a test, all requests run in one thread, whose connection has one schema
            # at a time.
            second = await stack.enter_async_context(feed(two))
            assert (await second.started())["status"] == 200
            await watched(2)
            # At least one sweep, if the sweep runs at all.
            await asyncio.sleep(0.3)
            assert await goes_on(first)
            assert await goes_on(second)
            await sync_to_async(end_all)(ONE)
            await ended(first)
            assert await goes_on(second)


def test_the_sweep_takes_no_live_session_for_an_ended_one(browser, swept, monkeypatch):
    """Fails if the sweep reads other tables, and the hub then reads each session."""
    one, two = browser(ONE), browser(TWO)
    read, doubted = connected.standings, []

    def standings(ids, *, thorough=False):
        doubted.extend([] if thorough else ids)
        return read(ids, thorough=thorough)

    @story
    async def _():
        async with socket(one) as first, socket(two) as second:
            await first.accepted()
            await second.accepted()
            await watched(2)
            # The bus has said once that messages may have been missed.
            await asyncio.sleep(0.2)
            monkeypatch.setattr(connected, "standings", standings)
            await asyncio.sleep(0.3)
            assert doubted == []


def test_only_the_sockets_of_the_ended_session_close(browser, told_by):
    one, two = browser(ONE), browser(TWO)

    @story
    async def _():
        async with socket(one) as first, socket(two) as second:
            await first.accepted()
            await second.accepted()
            await watched(2)
            await sync_to_async(browser)(TWO, PHONE)
            assert await second.closed() == (ENDED, "displaced")
            assert await first.is_quiet()


def test_an_event_stream_tells_of_its_own_tenant(browser, told_by):
    one, two = browser(ONE), browser(TWO)

    @story
    async def _():
        async with events(one) as first, events(two) as second:
            for response in (first, second):
                assert (await response.started())["status"] == 200
                assert event((await response.body())[0])[0] == "live"
            await watched(2)
            await sync_to_async(browser)(ONE, PHONE)
            name, data = event((await first.body())[0])
            assert (name, data["reason"]) == ("ended", "displaced")
            assert await second.is_quiet()


def test_a_socket_with_the_cookie_of_another_tenant_has_no_session(browser):
    """The application decides about a socket without a session, as about a page."""
    one = browser(ONE)

    @story
    async def _():
        async with socket(one, name=TWO) as other:
            await other.accepted()
            assert not hub.current_hub()._listeners
        async with socket(one, name="elsewhere") as other:
            await other.accepted()
            assert await other.is_quiet()
            assert not hub.current_hub()._listeners


def test_a_changed_password_ends_the_session_in_its_own_tables(browser, swept):
    """Fails if the hub reads the user, or records the ending, in other tables."""
    one, two = browser(ONE), browser(TWO)
    with in_tenant(TWO):
        get_user_model().objects.update(password="other")
        [second_row] = UserSession.objects.live()

    def is_recorded():
        with in_tenant(TWO):
            return not UserSession.objects.live().exists()

    @story
    async def _():
        async with socket(one) as first, socket(two) as second:
            await first.accepted()
            await second.accepted()
            await second.closed()
            for _ in range(100):
                if await sync_to_async(is_recorded)():
                    break
                await asyncio.sleep(0.02)
            assert await first.is_quiet()

    with in_tenant(TWO):
        second_row.refresh_from_db()
        assert second_row.ended_reason == UserSession.Reason.CREDENTIALS_CHANGED
    assert one.state == SIGNED_IN


def test_a_tenant_that_cannot_be_read_holds_no_other_up(browser, monkeypatch):
    """Fails if the hub reads the sessions of all tenants together."""
    one, two = browser(ONE), browser(TWO)
    sweep_alone(monkeypatch)
    with in_tenant(ONE):
        [broken] = UserSession.objects.live().values_list("pk", flat=True)
    read, were_read = connected.standings, []

    def standings(ids, **kwargs):
        if broken in ids:
            raise DatabaseError("no such table")
        found = read(ids, **kwargs)
        were_read.append(ids)
        return found

    monkeypatch.setattr(connected, "standings", standings)

    @story
    async def _():
        async with socket(one) as first, socket(two) as second:
            await first.accepted()
            await second.accepted()
            await until(lambda: len(hub.current_hub()._listeners) == 2)
            # As if messages on the bus may have been missed.
            hub.current_hub()._hint(None)
            await until(lambda: were_read)
            await asyncio.sleep(0.1)
            await sync_to_async(end_all)(TWO)
            assert await second.closed() == (ENDED, "revoked")
            assert await first.is_quiet()


def ask_wsgi(visitor, name):
    request = RequestFactory().get("/account/sessions/gateway/")
    environ = {**request.environ, "HTTP_HOST": host(name)}
    environ["HTTP_COOKIE"] = f"sessionid={visitor.cookie}"
    start = mock.Mock()
    SessionGateway(WSGIHandler())(environ, start)
    status, headers = start.call_args.args
    return int(status.split()[0]), dict(headers).get("X-Session-Limit-Reason")


def ask(visitor, name):
    answer = ask_asgi(visitor, headers=headers(visitor, name))
    return answer.status, answer.reason


@pytest.mark.parametrize("ask", [ask, ask_wsgi])
def test_the_gateway_answers_in_the_tenant_of_the_host(browser, ask):
    one = browser(ONE)
    assert ask(one, ONE) == (200, None)
    assert ask(one, TWO) == (401, "not_signed_in")
    assert ask(one, "elsewhere") == (401, "not_signed_in")
    browser(ONE, PHONE)
    assert ask(one, ONE) == (401, "displaced")


def test_the_gateway_leaves_the_thread_in_its_tenant(browser):
    """The servers that run the gateway also run requests in this thread."""
    one, two = browser(ONE), browser(TWO)
    with in_tenant(TWO):
        browser(TWO, PHONE)
    with in_tenant(TWO):
        assert ask_wsgi(one, ONE) == (200, None)
        assert UserSession.objects.count() == 2
    assert ask_wsgi(two, TWO) == (401, "displaced")


def test_each_tenant_has_places_and_plays_of_its_own(browser, settings):
    settings.SESSION_LIMIT_PLAYS = 1
    one, two = browser(ONE), browser(TWO)
    assert one.state == two.state == SIGNED_IN
    for name in TENANTS:
        with in_tenant(name):
            [row] = UserSession.objects.live()
            assert registry.play(row, "film")
    for name in TENANTS:
        with in_tenant(name):
            assert Play.objects.live().count() == 1


def test_the_command_prunes_one_tenant(browser):
    browser(ONE)
    browser(TWO)
    for name in TENANTS:
        with in_tenant(name):
            UserSession.objects.update(expires_at="2000-01-01T00:00:00Z")
    if HAS_SCHEMAS:
        call_command("tenant_command", "prunesessions", schema_name=ONE, verbosity=0)
    else:
        with in_tenant(ONE):
            call_command("prunesessions", verbosity=0)
    for name, live in [(ONE, 0), (TWO, 1)]:
        with in_tenant(name):
            assert UserSession.objects.live().count() == live
