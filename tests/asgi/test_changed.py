"""
Test that a page with an open stream is told when one of its plays may have ended.

The stream stays open, and the page asks for the state of its play.
"""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async

from session_limit import registry
from session_limit.asgi import hub
from session_limit.models import Play
from tests.asgi.test_events import opened, stream
from tests.asgi.test_sockets import Application, story
from tests.asgi.wire import Socket, asked, event, verified


@pytest.fixture(autouse=True)
def plays(settings):
    settings.SESSION_LIMIT = None
    settings.SESSION_LIMIT_PLAYS = 1


def test_a_displaced_play_is_told(ada, laptop, phone, told_by):
    """A page's stream sends one event when the page's play is displaced."""
    laptop.sign_in()
    phone.sign_in()
    sessions = {"laptop": laptop.row, "phone": phone.row}

    @story
    async def _():
        play = sync_to_async(registry.play)
        async with stream(laptop) as response, stream(phone) as other:
            await opened(response)
            await opened(other)
            await verified()
            await asked()
            # The hub may have missed something before it began to listen, so it may
            # have sent events of its own accord. Skip them.
            while not await response.is_quiet(0.2):
                await response.body()
            while not await other.is_quiet(0.2):
                await other.body()
            first = await play(sessions["laptop"])
            await play(sessions["phone"])
            part, more = await response.body()
            assert more
            assert event(part) == ("changed", {"version": 1})
            # The sweep reads the same ten seconds again, but reports a play only once.
            assert await response.is_quiet(0.5)
            assert await other.is_quiet(0.1)
            row = await sync_to_async(Play.objects.get)(pk=first.play.pk)
            assert row.ended_reason == "displaced"


def test_it_is_told_whatever_else_is_looked_for(ada, laptop, swept):
    """
    The hub reports an ended play even while it has sessions to verify.

    It verifies every session once a minute, and each new connection when it joins.
    """
    laptop.sign_in()
    id = laptop.row.pk

    @story
    async def _():
        async with stream(laptop) as response:
            await opened(response)
            await verified()
            while not await response.is_quiet(0.2):
                await response.body()
            hub.current_hub().verify(id)
            hub.current_hub()._hint([id])
            part, _ = await response.body()
            assert event(part) == ("changed", {"version": 1})


def test_what_else_is_connected_goes_on(ada, laptop, phone, told_by):
    """Plays that end do not close a socket, because its session has not ended."""
    laptop.sign_in()
    phone.sign_in()
    sessions = [laptop.row, phone.row]

    @story
    async def _():
        async with Socket(Application(), laptop) as socket:
            await socket.accepted()
            await verified()
            for session in sessions:
                await sync_to_async(registry.play)(session)
            assert await socket.is_quiet(0.5)


def test_who_uses_no_plays_is_told_of_none(ada, laptop, swept, settings):
    """A site without a limit on plays sends no ``changed`` event and reads no plays."""
    del settings.SESSION_LIMIT_PLAYS
    laptop.sign_in()

    @story
    async def _():
        async with stream(laptop) as response:
            await opened(response)
            await verified()
            hub.current_hub()._hint(None)
            assert await response.is_quiet(0.5)
            assert not hub.current_hub()._sweepers[None]._recent
