"""
Test consumers of Channels that check their session as docs/how-to/direct.md says.

``AuthMiddlewareStack`` loads the session with the engine's own class, without the
package's middleware.
"""

from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.auth import AuthMiddlewareStack
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from session_limit import registry
from tests.stories.people import SIGNED_IN

pytestmark = pytest.mark.django_db(transaction=True)

ENDED = 4401


class Consumer(AsyncWebsocketConsumer):
    async def connect(self):
        if await registry.averify(self.scope["session"]) is None:
            await self.close(ENDED)
        else:
            await self.accept()

    async def receive(self, text_data=None, bytes_data=None):
        if await registry.averify(self.scope["session"]) is None:
            await self.close(ENDED)
        else:
            await self.send(text_data=text_data)


application = AuthMiddlewareStack(Consumer.as_asgi())


def socket_of(visitor):
    """Return a socket that this browser has opened and that has no answer yet."""
    cookie = f"{settings.SESSION_COOKIE_NAME}={visitor.cookie}"
    return ApplicationCommunicator(
        application,
        {
            "type": "websocket",
            "path": "/socket/",
            "query_string": b"",
            "headers": [(b"cookie", cookie.encode())],
            "subprotocols": [],
        },
    )


async def answer_to(socket, **message):
    await socket.send_input(message)
    return await socket.receive_output(timeout=10)


def refused(answer):
    return (answer["type"], answer["code"]) == ("websocket.close", ENDED)


def test_a_displaced_session_is_refused_a_socket(ada, laptop, phone):
    laptop.sign_in(path="/login/")
    phone.sign_in(path="/login/")

    @async_to_sync
    async def connect():
        assert refused(await answer_to(socket_of(laptop), type="websocket.connect"))
        socket = socket_of(phone)
        accepted = await answer_to(socket, type="websocket.connect")
        assert accepted["type"] == "websocket.accept"
        await socket.send_input({"type": "websocket.disconnect", "code": 1000})
        await socket.wait()

    connect()
    assert phone.state == SIGNED_IN


def test_a_socket_that_is_open_stops_with_the_next_message(ada, laptop, phone):
    laptop.sign_in(path="/login/")

    @async_to_sync
    async def talk():
        socket = socket_of(laptop)
        accepted = await answer_to(socket, type="websocket.connect")
        assert accepted["type"] == "websocket.accept"
        echo = await answer_to(socket, type="websocket.receive", text="hello")
        assert echo["text"] == "hello"
        await sync_to_async(phone.sign_in)(path="/login/")
        assert refused(await answer_to(socket, type="websocket.receive", text="still?"))

    talk()


def test_a_visitor_is_nobody(laptop):
    laptop.write()

    @async_to_sync
    async def connect():
        assert refused(await answer_to(socket_of(laptop), type="websocket.connect"))

    connect()
