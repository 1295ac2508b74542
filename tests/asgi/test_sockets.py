"""Test that WebSockets close when their session ends, by any kind of application."""

import asyncio
import time as clock_time
from datetime import timedelta
from unittest import mock

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from session_limit import bus, registry
from session_limit.asgi import connection, hub, scopes
from session_limit.models import UserSession
from tests.asgi.wire import ENDED, Socket, hub_stopped, recorded, verified
from tests.stories.people import SIGNED_IN, mark_as_installed_later

Reason = UserSession.Reason


class Application:
    """
    An application that accepts a socket, echoes messages and records what happens.
    """

    def __init__(self):
        self.ran = False
        self.disconnected = None
        self.cancelled = False
        self.failed = None

    async def __call__(self, scope, receive, send):
        self.ran = True
        try:
            await self.serve(receive, send)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        except Exception as error:
            self.failed = error
            raise

    async def serve(self, receive, send):
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        await self.talk(receive, send)

    async def talk(self, receive, send):
        while self.disconnected is None:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                self.disconnected = message["code"]
            else:
                await send({"type": "websocket.send", "text": message["text"]})


class Sending(Application):
    """An application that sends without end and never receives."""

    async def talk(self, receive, send):
        while True:
            await send({"type": "websocket.send", "text": "tick"})
            await asyncio.sleep(0)


class Silent(Application):
    """An application that neither sends nor receives."""

    async def talk(self, receive, send):
        await asyncio.get_running_loop().create_future()


class Stuck(Application):
    """An application that waits for a slow thread, as a sync consumer may."""

    async def talk(self, receive, send):
        await sync_to_async(clock_time.sleep, thread_sensitive=False)(3)


class Undecided(Application):
    """An application that neither accepts nor refuses its socket."""

    async def serve(self, receive, send):
        await receive()
        await self.talk(receive, send)


class Deaf(Application):
    """An application that keeps receiving after it was disconnected."""

    async def talk(self, receive, send):
        while True:
            self.disconnected = (await receive()).get("code")


class Farewell(Application):
    """An application that sends a message when it is disconnected."""

    async def talk(self, receive, send):
        await super().talk(receive, send)
        await send({"type": "websocket.send", "text": "farewell"})
        await send({"type": "websocket.close"})


def story(test):
    """Run a coroutine in an event loop of its own, and stop the hub afterwards."""

    @async_to_sync
    async def run():
        async with hub_stopped():
            await test()

    run()


signs_in = {"path": "/login/"}


async def sign_in(visitor):
    await verified()
    await sync_to_async(visitor.sign_in)(**signs_in)


async def end(visitor, reason=Reason.REVOKED):
    await verified()
    row = await sync_to_async(lambda: visitor.row)()
    await sync_to_async(registry.end)([row.pk], reason)


def test_a_displaced_socket_is_closed(ada, laptop, phone, told_by):
    laptop.sign_in()
    application = Application()

    @story
    async def _():
        async with Socket(application, laptop) as socket:
            await socket.accepted()
            socket.hear({"type": "websocket.receive", "text": "hello"})
            assert (await socket.next())["text"] == "hello"
            await sign_in(phone)
            assert await socket.closed() == (ENDED, "displaced")
            await socket.done()
            assert socket.to_client.empty()

    assert application.disconnected == ENDED
    assert not application.cancelled
    assert phone.state == SIGNED_IN


@pytest.mark.parametrize("kind", [Sending, Silent, Stuck, Deaf])
def test_whatever_it_does(ada, laptop, phone, monkeypatch, kind):
    """The socket closes at once, and the guard cancels an application that goes on."""
    monkeypatch.setattr(connection, "LINGER", 0.2)
    laptop.sign_in()
    application = kind()

    @story
    async def _():
        async with Socket(application, laptop) as socket:
            await socket.accepted()
            await sign_in(phone)
            message = await socket.next()
            while message["type"] == "websocket.send":
                message = await socket.next()
            assert (message["code"], message["reason"]) == (ENDED, "displaced")
            await socket.done()
            assert socket.to_client.empty()

    assert application.cancelled


def test_it_is_closed_though_nobody_reads(ada, laptop, phone, monkeypatch):
    monkeypatch.setattr(connection, "LINGER", 0.2)
    laptop.sign_in()
    application = Sending()

    @story
    async def _():
        async with Socket(application, laptop) as socket:
            await socket.accepted()
            socket.flows.clear()
            await sign_in(phone)
            await socket.done()

    assert application.cancelled


def test_one_that_was_not_accepted_yet(ada, laptop, phone):
    """
    The guard accepts a pending socket before it closes it.

    A page cannot read the close code of a socket that it never opened.
    """
    laptop.sign_in()
    application = Undecided()

    @story
    async def _():
        async with Socket(application, laptop, subprotocols=["b", "a"]) as socket:
            await sign_in(phone)
            assert (await socket.accepted())["subprotocol"] == "b"
            assert await socket.closed() == (ENDED, "displaced")
            await socket.done()

    assert application.disconnected == ENDED


def test_what_is_sent_after_the_end_goes_nowhere(ada, laptop, phone):
    laptop.sign_in()
    application = Farewell()

    @story
    async def _():
        async with Socket(application, laptop) as socket:
            await socket.accepted()
            await sign_in(phone)
            assert await socket.closed() == (ENDED, "displaced")
            await socket.done()
            assert socket.to_client.empty()

    assert application.failed is None


def test_an_ended_session_is_refused_a_socket(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    application = Application()

    @story
    async def _():
        async with Socket(application, laptop) as socket:
            await socket.accepted()
            assert await socket.closed() == (ENDED, "displaced")
            await socket.done()

    assert not application.ran


def test_visitors_pass(laptop):
    laptop.write()
    application = Application()

    @story
    async def _():
        async with Socket(application, laptop) as socket:
            await socket.accepted()
            socket.hear({"type": "websocket.disconnect", "code": 1000})
            await socket.done()

    assert application.disconnected == 1000


def test_an_application_that_closes_by_itself(ada, laptop):
    laptop.sign_in()

    async def application(scope, receive, send):
        await receive()
        await send({"type": "websocket.close", "code": 4000})

    @story
    async def _():
        async with Socket(application, laptop) as socket:
            assert await socket.closed() == (4000, None)
            await socket.done()
            assert hub.current_hub()._listeners == {}


def test_a_cancellation_from_outside_goes_through(ada, laptop):
    """The guard passes on the cancellation of an application by its server."""
    laptop.sign_in()
    application = Application()

    @story
    async def _():
        async with Socket(application, laptop) as socket:
            await socket.accepted()
            socket.task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await socket.task
            assert hub.current_hub()._listeners == {}

    assert application.cancelled


def test_an_ending_between_looking_and_joining(
    ada, bob, laptop, phone, monkeypatch, nobody_tells
):
    """
    A socket closes if its session ends between being identified and joining the hub.

    The hub is already running, and has verified its other connections.
    """
    laptop.sign_in("ada")
    phone.sign_in("bob")
    found = scopes.identify_connection

    def then_ended(scope):
        who = found(scope)
        registry.end_all(ada, Reason.REVOKED)
        return who

    @story
    async def _():
        async with Socket(Application(), phone) as bobs:
            await bobs.accepted()
            await verified()
            monkeypatch.setattr(hub, "identify_connection", then_ended)
            async with Socket(Application(), laptop) as adas:
                await adas.accepted()
                assert await adas.closed() == (ENDED, "revoked")


def test_a_hint_is_not_believed(ada, laptop, told_by):
    """
    A message on the bus ends nothing by itself, so access to the bus is not enough to
    end a session.
    """
    laptop.sign_in()

    @story
    async def _():
        row = await sync_to_async(lambda: laptop.row)()
        async with Socket(Application(), laptop) as socket:
            await socket.accepted()
            await verified()
            await sync_to_async(bus.publish)([row.pk])
            assert await socket.is_quiet()


def test_an_ending_that_is_rolled_back_closes_nothing(ada, laptop, told_by):
    laptop.sign_in()

    def end_and_fail():
        with transaction.atomic():
            registry.end_all(ada, Reason.REVOKED)
            transaction.set_rollback(True)

    @story
    async def _():
        async with Socket(Application(), laptop) as socket:
            await socket.accepted()
            await verified()
            await sync_to_async(end_and_fail)()
            assert await socket.is_quiet()


def test_nobody_elses(ada, bob, laptop, phone, told_by):
    laptop.sign_in("ada")
    phone.sign_in("bob")

    @story
    async def _():
        async with (
            Socket(Application(), laptop) as adas,
            Socket(Application(), phone) as bobs,
        ):
            await adas.accepted()
            await bobs.accepted()
            await end(laptop)
            assert await adas.closed() == (ENDED, "revoked")
            assert await bobs.is_quiet()


def test_all_of_one_session(ada, laptop, phone, told_by):
    laptop.sign_in()

    @story
    async def _():
        sockets = [Socket(Application(), laptop) for _ in range(3)]
        for socket in sockets:
            await socket.__aenter__()
            await socket.accepted()
        await sign_in(phone)
        for socket in sockets:
            assert await socket.closed() == (ENDED, "displaced")
            await socket.done()


def test_an_ending_that_took_long_to_commit(ada, laptop, swept):
    """
    The sweep finds an ending that is recorded as older than what it last read.

    The transaction took long, or the clock of another machine is behind.
    """
    laptop.sign_in()
    row = laptop.row

    def end_late():
        earlier = timezone.now() - timedelta(seconds=9)
        rows = UserSession.objects.filter(pk=row.pk)
        rows.update(ended_at=earlier, ended_reason=Reason.REVOKED)

    @story
    async def _():
        async with Socket(Application(), laptop) as socket:
            await socket.accepted()
            await verified()
            await sync_to_async(end_late)()
            assert await socket.closed() == (ENDED, "revoked")


def test_one_whose_time_is_up(ada, laptop, time, settings, swept):
    """The sweep ends a session without a request when its idle timeout has passed."""
    settings.SESSION_LIMIT_IDLE_TIMEOUT = 900
    laptop.sign_in()

    @story
    async def _():
        async with Socket(Application(), laptop) as socket:
            await socket.accepted()
            await verified()
            time.advance(900)
            assert await socket.is_quiet()
            time.advance(91)
            assert await socket.closed() == (ENDED, "idle")
            await recorded()

    assert UserSession.objects.get().ended_reason == Reason.IDLE


def test_an_account_that_is_deleted(ada, laptop):
    """
    A deleted account's socket closes.

    The row has been deleted too, so it can name no reason.
    """
    laptop.sign_in()

    @story
    async def _():
        async with Socket(Application(), laptop) as socket:
            await socket.accepted()
            await verified()
            await sync_to_async(ada.delete)()
            code, _ = await socket.closed()
            assert code == ENDED


def test_a_password_that_is_changed_elsewhere(ada, laptop, phone, settings, told_by):
    """A request that changes the password closes other sessions' sockets at once."""
    settings.SESSION_LIMIT = 2
    laptop.sign_in()
    phone.sign_in()

    @story
    async def _():
        async with (
            Socket(Application(), laptop) as there,
            Socket(Application(), phone) as here,
        ):
            await there.accepted()
            await here.accepted()
            await verified()
            await sync_to_async(phone.change_password)("new")
            assert await there.closed() == (ENDED, "password_changed")
            assert await here.is_quiet()

    assert phone.state == SIGNED_IN
    assert laptop.state == "password_changed"


@pytest.mark.parametrize("how", ["disabled", "password"])
def test_what_no_ending_tells_of(ada, laptop, time, swept, how):
    """
    A session ends soon if code changes its account outside of a request.

    It ends with its next request, or within three minutes if it makes none.
    """
    laptop.sign_in()
    id = laptop.row.pk

    def change():
        if how == "disabled":
            type(ada).objects.filter(pk=ada.pk).update(is_active=False)
        else:
            ada.set_password("new")
            ada.save()

    @story
    async def _():
        async with Socket(Application(), laptop) as socket:
            await socket.accepted()
            await verified()
            await sync_to_async(change)()
            assert await socket.is_quiet()
            time.advance(121)
            hub.current_hub().verify(id)
            code, reason = await socket.closed()
            expected = "account_disabled" if how == "disabled" else "password_changed"
            assert (code, reason) == (ENDED, expected)


@pytest.mark.skipif(
    settings.ENGINE == "signed_cookies",
    reason="a socket cannot send the cookie that an adopted session needs",
)
def test_one_from_before_installation_is_adopted(ada, laptop, phone):
    laptop.sign_in()
    mark_as_installed_later(laptop)

    @story
    async def _():
        async with Socket(Application(), laptop) as socket:
            await socket.accepted()
            await sign_in(phone)
            assert await socket.closed() == (ENDED, "displaced")


@pytest.mark.skipif(
    settings.ENGINE != "signed_cookies",
    reason="other engines adopt the session without a new cookie",
)
def test_a_signed_cookie_from_before_waits_for_a_request(ada, laptop):
    """
    An unregistered session in a signed cookie gets no socket before its next request.

    The session needs an id in the client's cookie, and a socket cannot send one.
    """
    laptop.sign_in()
    mark_as_installed_later(laptop)
    application = Application()

    @story
    async def _():
        async with Socket(application, laptop) as socket:
            await socket.accepted()
            assert await socket.closed() == (ENDED, "")

    assert not application.ran
    assert laptop.state == SIGNED_IN

    @story
    async def _():
        async with Socket(application, laptop) as socket:
            await socket.accepted()

    assert application.ran


def test_a_store_that_is_down_lets_nobody_in(ada, laptop, caplog):
    laptop.sign_in()
    application = Application()

    @story
    async def _():
        with mock.patch.object(
            hub, "identify_connection", side_effect=ConnectionError("down")
        ):
            async with Socket(application, laptop) as socket:
                await socket.accepted()
                assert await socket.closed() == (1013, "")

    assert not application.ran
    assert "could not be identified" in caplog.text
