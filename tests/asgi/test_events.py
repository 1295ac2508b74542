"""Test the event stream: it ends with one event when its own session has ended."""

import asyncio
import re

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.test import override_settings

from session_limit.asgi import bulk_reads, event_stream, hub
from tests.asgi.test_sockets import end, sign_in, story
from tests.asgi.wire import Response, event, until

ADDRESS = "/account/sessions/events/"
ENDED = {"version": 1, "code": "session_ended", "reason": "displaced"}


def stream(visitor, path=ADDRESS, **scope):
    return Response(ASGIHandler(), visitor, path, **scope)


async def opened(response):
    started = await response.started()
    assert started["status"] == 200
    headers = dict(started["headers"])
    assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert headers[b"cache-control"] == b"no-store"
    part, more = await response.body()
    assert more
    assert event(part) == ("live", {"version": 1})
    lowest, highest = event_stream.RETRY
    assert lowest <= int(re.search(rb"retry: (\d+)\n", part)[1]) <= highest
    return response


async def told(response):
    """Return the data of the event that ends the stream."""
    part, more = await response.body()
    assert not more
    await response.done()
    name, data = event(part)
    assert name == "ended"
    return data


def test_it_tells(ada, laptop, phone, told_by):
    laptop.sign_in()

    @story
    async def _():
        async with stream(laptop) as response:
            await opened(response)
            await sign_in(phone)
            assert await told(response) == ENDED
            assert hub.current_hub()._listeners == {}


def test_it_tells_at_once_who_comes_late(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()

    @story
    async def _():
        async with stream(laptop) as response:
            await response.started()
            assert await told(response) == ENDED


def test_it_takes_no_cookie_away_and_is_no_activity(ada, laptop, phone, time):
    laptop.sign_in()
    before = laptop.row.last_active_at
    time.advance(3600)

    @story
    async def _():
        async with stream(laptop) as response:
            started = await response.started()
            assert b"set-cookie" not in dict(started["headers"])

    assert laptop.row.last_active_at == before


def test_it_says_nothing_of_others(ada, bob, laptop, phone, told_by):
    laptop.sign_in("ada")
    phone.sign_in("bob")

    @story
    async def _():
        async with stream(laptop) as adas, stream(phone) as bobs:
            await opened(adas)
            await opened(bobs)
            await end(laptop, "signed_out")
            assert (await told(adas))["reason"] == "signed_out"
            assert await bobs.is_quiet()


@pytest.mark.parametrize("cookie", [None, "", "x" * 32, "é", "a" * 10_000, "../../x"])
def test_nobody_has_none(ada, laptop, cookie):
    """Neither a browser without a session nor a forged cookie gets a stream."""
    laptop.cookie = cookie

    @story
    async def _():
        async with stream(laptop) as response:
            assert (await response.started())["status"] == 204


def test_a_visitor_has_none(laptop):
    laptop.write()

    @story
    async def _():
        async with stream(laptop) as response:
            assert (await response.started())["status"] == 204
            assert hub.current_hub()._listeners == {}


@pytest.mark.parametrize(
    "headers",
    [
        [(b"sec-fetch-site", b"cross-site")],
        [(b"sec-fetch-site", b"same-site")],
        [(b"origin", b"https://elsewhere.example")],
        [(b"origin", b"null")],
    ],
)
def test_another_sites_page_has_none(ada, laptop, headers):
    laptop.sign_in()

    @story
    async def _():
        async with stream(laptop, headers=headers) as response:
            assert (await response.started())["status"] == 403


@pytest.mark.parametrize(
    "headers",
    [[(b"sec-fetch-site", b"same-origin")], [(b"origin", b"http://testserver")]],
)
def test_this_sites_pages_have_one(ada, laptop, headers):
    laptop.sign_in()

    @story
    async def _():
        async with stream(laptop, headers=headers) as response:
            await opened(response)


def test_it_gives_signs_of_life_and_comes_to_an_end(ada, laptop, monkeypatch):
    """
    A stream sends comments, and ends by itself after ``LIFE`` seconds.

    Therefore a server that stops never waits for it longer than that.
    """
    monkeypatch.setattr(event_stream, "HEARTBEAT", 0.05)
    monkeypatch.setattr(event_stream, "LIFE", (0.2, 0.2))
    laptop.sign_in()

    @story
    async def _():
        async with stream(laptop) as response:
            await opened(response)
            assert await response.body() == (b":\n\n", True)
            more = True
            while more:
                part, more = await response.body()
            assert part == b""
            await response.done()
            assert hub.current_hub()._listeners == {}


def test_a_client_that_goes_leaves_nothing(ada, laptop):
    laptop.sign_in()

    @story
    async def _():
        async with stream(laptop) as response:
            await opened(response)
            response.hear({"type": "http.disconnect"})
            await response.done()
            assert response.to_client.empty()
            assert hub.current_hub()._listeners == {}


def test_a_client_that_reads_nothing_keeps_nothing(ada, laptop, phone, monkeypatch):
    monkeypatch.setattr(event_stream, "LINGER", 0.1)
    monkeypatch.setattr(event_stream, "HEARTBEAT", 0.05)
    laptop.sign_in()

    @story
    async def _():
        async with stream(laptop) as response:
            await opened(response)
            response.flows.clear()
            await sign_in(phone)
            monkeypatch.setattr(event_stream, "LIFE", (0.1, 0.1))
            async with stream(laptop) as another:
                another.flows.clear()
                await another.done()


def test_without_the_guard_the_address_says_so(ada, laptop):
    laptop.sign_in()
    response = laptop.get(ADDRESS)
    assert response.status_code == 204
    assert "no-store" in response["Cache-Control"]


def test_other_methods_are_the_projects(ada, laptop):
    laptop.sign_in()

    @story
    async def _():
        async with stream(laptop, method="HEAD") as response:
            assert (await response.started())["status"] == 204


def test_under_a_prefix(ada, laptop):
    """The stream's address begins with ``root_path``, as ``reverse()`` returns it."""
    laptop.sign_in()

    @story
    async def _():
        prefixed = stream(laptop, f"/app{ADDRESS}", root_path="/app")
        async with prefixed as response:
            await opened(response)


def test_under_a_language_prefix(ada, laptop):
    laptop.sign_in()

    @story
    async def _():
        with override_settings(ROOT_URLCONF="tests.asgi.urls_by_language"):
            for language in ("de", "fr"):
                async with stream(laptop, f"/{language}{ADDRESS}") as response:
                    await opened(response)
            async with stream(laptop, "/xx" + ADDRESS) as response:
                assert (await response.started())["status"] == 404


def test_another_address_that_ends_alike_is_the_projects(ada, laptop):
    laptop.sign_in()

    @story
    async def _():
        async with stream(laptop, "/calendar/events/") as response:
            assert (await response.started())["status"] == 404


def test_ten_thousand_come_and_go(ada, laptop):
    """Ten thousand listeners that join and leave keep no task and no entry behind."""
    laptop.sign_in()

    @story
    async def _():
        tasks = len(asyncio.all_tasks())
        who = await hub.current_hub().identify(stream(laptop).scope)

        def listeners():
            for _ in range(10_000):
                yield lambda reason: None

        for listener in listeners():
            hub.current_hub().join(who.id, listener)
            hub.current_hub().leave(who.id, listener)
        assert hub.current_hub()._listeners == {}
        await hub.current_hub().stop()
        assert len(asyncio.all_tasks()) == tasks


def test_the_hub_rests_when_nobody_is_left(ada, laptop, phone, swept, monkeypatch):
    monkeypatch.setattr(hub, "LINGER", 0.1)
    laptop.sign_in()

    @story
    async def _():
        tasks = len(asyncio.all_tasks())
        async with stream(laptop) as response:
            await opened(response)
        await until(lambda: len(asyncio.all_tasks()) == tasks)
        assert hub.current_hub()._tasks == []
        # The hub starts again for the next connection.
        async with stream(laptop) as response:
            await opened(response)
            await sign_in(phone)
            assert await told(response) == ENDED


def test_a_database_that_is_away_for_a_while(ada, laptop, phone, swept, caplog):
    """The hub logs a database failure once, and later reports the endings it missed."""
    laptop.sign_in()
    real = bulk_reads.read_unexpired
    failures = []

    def failing(ids):
        if len(failures) < 5:
            failures.append(ids)
            raise ConnectionError("away")
        return real(ids)

    @story
    async def _():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(bulk_reads, "read_unexpired", failing)
            async with stream(laptop) as response:
                await opened(response)
                # The newcomer has been verified already, so only the sweep can report
                # the next ending.
                await until(lambda: failures)
                await sign_in(phone)
                assert await told(response) == ENDED

    said = [record for record in caplog.records if record.exc_info]
    assert len(said) == 1
