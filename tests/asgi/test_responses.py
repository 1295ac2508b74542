"""Test that a stream is cut when its session ends, and that nothing else changes."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.db import connections
from django.test.utils import CaptureQueriesContext

from session_limit.asgi import hub, scopes
from session_limit.store.state import CONNECTION
from tests.asgi import views
from tests.asgi.test_sockets import sign_in, story
from tests.asgi.wire import Response, until, verified


@pytest.fixture(autouse=True)
def nothing_closed():
    views.closed.clear()


async def rest(response):
    """Read to the end of the body, and return the last ``more_body``."""
    more = True
    while more:
        _, more = await response.body()
    return more


def test_a_stream_is_cut(ada, laptop, phone, told_by):
    laptop.sign_in()

    @story
    async def _():
        async with Response(ASGIHandler(), laptop, "/feed/") as response:
            assert (await response.started())["status"] == 200
            assert await response.body() == (b"tick\n", True)
            await sign_in(phone)
            assert await rest(response) is False
            await response.done()
            assert response.to_client.empty()

    assert views.closed == ["feed"]


def test_one_that_reads_its_session_late(ada, laptop, phone):
    laptop.sign_in()

    @story
    async def _():
        async with Response(ASGIHandler(), laptop, "/feed/late/") as response:
            await response.started()
            await response.body()
            assert await response.body() == (b"ada", True)
            await response.body()
            await sign_in(phone)
            assert await rest(response) is False
            await response.done()

    assert views.closed == ["late"]


def test_a_download_does_not_pass_for_whole(ada, laptop, phone):
    laptop.sign_in()

    @story
    async def _():
        async with Response(ASGIHandler(), laptop, "/download/") as response:
            await response.started()
            await response.body()
            await sign_in(phone)
            await response.done()
            while not response.to_client.empty():
                assert (await response.body())[1]

    assert views.closed == ["download"]


def test_what_reads_no_session_goes_on(ada, laptop, phone, monkeypatch):
    """A response that reads no session costs nothing and is not cut."""
    laptop.sign_in()
    monkeypatch.setattr(hub, "identify_connection", None)

    @story
    async def _():
        async with Response(ASGIHandler(), laptop, "/feed/public/") as response:
            await response.started()
            await response.body()
            await sync_to_async(phone.sign_in)(path="/login/")
            for _ in range(30):
                assert await response.body() == (b"tick\n", True)
            assert hub.current_hub()._listeners == {}


def test_the_streams_of_others_go_on(ada, bob, laptop, phone):
    laptop.sign_in("ada")
    phone.sign_in("bob")

    @story
    async def _():
        async with (
            Response(ASGIHandler(), laptop, "/feed/") as adas,
            Response(ASGIHandler(), phone, "/feed/") as bobs,
        ):
            for response in (adas, bobs):
                await response.started()
            await verified()
            await sync_to_async(laptop.sign_out)()
            assert await rest(adas) is False
            while not bobs.to_client.empty():
                bobs.to_client.get_nowait()
            assert await bobs.body() == (b"tick\n", True)


def other_code(messages):
    """Return an ASGI application that does not use Django."""

    async def application(scope, receive, send):
        await receive()
        start = {"type": "http.response.start", "status": 200, "headers": []}
        await send(start)
        for _ in range(messages):
            body = {"type": "http.response.body", "body": b"tick", "more_body": True}
            await send(body)
            await asyncio.sleep(0.01)
        await send({"type": "http.response.body", "body": b"end"})

    return application


def test_other_codes_stream_is_cut(ada, laptop, phone, told_by):
    laptop.sign_in()

    @story
    async def _():
        async with Response(other_code(1000), laptop) as response:
            await response.started()
            await response.body()
            await sign_in(phone)
            assert await rest(response) is False
            await response.done()


def test_other_codes_stream_to_an_ended_session_is_cut(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()

    @story
    async def _():
        async with Response(other_code(1000), laptop) as response:
            await response.started()
            assert await rest(response) is False
            await response.done()


@pytest.mark.parametrize(("path", "parts"), [("/amembers/", 1), ("/long/", 5)])
def test_an_ordinary_response_is_as_it_was(ada, laptop, monkeypatch, path, parts):
    """The guard changes neither a short response nor one that is sent in parts."""
    laptop.sign_in()
    monkeypatch.setattr(hub, "identify_connection", None)

    @story
    async def _():
        async with Response(ASGIHandler(), laptop, path) as response:
            assert (await response.started())["status"] == 200
            more = [(await response.body())[1] for _ in range(parts)]
            assert more == [True] * (parts - 1) + [False]
            await response.done()
            await asyncio.sleep(0.1)
            assert CONNECTION not in response.scope
            assert hub.current_hub()._tasks == []


def test_whose_it_is_takes_one_statement(ada, laptop, settings):
    laptop.sign_in()
    with CaptureQueriesContext(connections["default"]) as ran:
        who = scopes.identify_connection(Response(ASGIHandler(), laptop).scope)
    assert who == (laptop.row.pk, None, None)
    if settings.ENGINE == "db":
        assert len(ran) == 1


def test_lifespan_passes_and_stops_the_hub(ada, laptop):
    seen = []

    async def application(scope, receive, send):
        for _ in range(2):
            seen.append((await receive())["type"])
            await send({"type": f"{seen[-1]}.complete"})

    laptop.sign_in()

    @story
    async def _():
        async with Response(ASGIHandler(), laptop, "/feed/") as response:
            await response.started()
            await response.body()
            await until(lambda: hub.current_hub()._tasks)
            lifespan = Response(application, laptop, type="lifespan")
            async with lifespan:
                lifespan.to_application.get_nowait()
                lifespan.hear({"type": "lifespan.startup"})
                lifespan.hear({"type": "lifespan.shutdown"})
                assert (await lifespan.next())["type"] == "lifespan.startup.complete"
                assert (await lifespan.next())["type"] == "lifespan.shutdown.complete"
            assert hub.current_hub()._tasks == []

    assert seen == ["lifespan.startup", "lifespan.shutdown"]
