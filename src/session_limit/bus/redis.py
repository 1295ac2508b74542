"""Redis or Valkey, by publish and subscribe (``django-session-limit[redis]``)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from functools import cached_property
from uuid import UUID

from django.core import checks
from redis import Redis, RedisError
from redis import asyncio as redis_asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from session_limit.bus.base import Bus
from session_limit.bus.messages import decode, encode

# In seconds, to connect or to be answered: while a request waits, and while none does.
PATIENCE = 0.1
SUBSCRIBERS_PATIENCE = 5.0
# How often a server that says nothing is asked whether it is there.
PING = 15.0


class RedisBus(Bus):
    """
    ``url``: as redis-py takes it (``redis://``, ``rediss://``, ``unix://``).
    ``channel``: the name of the channel. Others may share it: ids are hints.
    """

    crosses_processes = True

    def __init__(self, url: str, channel: str = "session_limit") -> None:
        self.url = url
        self.channel = channel

    def publish(self, ids: Sequence[UUID]) -> None:
        for message in encode(ids):
            self._publisher.publish(self.channel, message)

    @cached_property
    def _publisher(self) -> Redis:
        # For all threads, and for what is forked: its pool sees to that. Under ASGI a
        # request has a thread of its own, and to connect takes longer than to publish.
        return Redis.from_url(
            self.url,
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            # redis-py would try again, and again.
            retry=Retry(NoBackoff(), 0),
            retry_on_error=[],
        )

    async def subscribe(self) -> AsyncGenerator[Sequence[UUID] | None]:
        client = redis_asyncio.Redis.from_url(
            self.url,
            socket_connect_timeout=SUBSCRIBERS_PATIENCE,
            # Nothing may come for long; PING finds out whether anybody is there.
            socket_timeout=None,
            # A connection that was made anew in silence would have missed something.
            retry=AsyncRetry(NoBackoff(), 0),
        )
        async with client, client.pubsub() as pubsub:
            await pubsub.subscribe(self.channel)
            async with aclosing(self._heard(pubsub)) as heard:
                async for ids in heard:
                    yield ids

    async def _heard(
        self, pubsub: redis_asyncio.client.PubSub
    ) -> AsyncGenerator[Sequence[UUID] | None]:
        is_asked = False
        while True:
            message = await pubsub.get_message(timeout=PING)
            if message is None and is_asked:
                raise RedisError("The server no longer answers.")
            is_asked = message is None
            if message is None:
                await pubsub.ping()
            elif message["type"] == "subscribe":
                yield None
            elif message["type"] == "message":
                yield decode(message["data"])

    def check(self) -> Iterable[checks.CheckMessage]:
        try:
            Redis.from_url(self.url)
        except ValueError as error:
            yield checks.Error(
                f"The url of the bus is not one of Redis: {error}",
                hint='Write {"url": "redis://host:6379/0"} in its OPTIONS.',
                id="session_limit.E023",
            )
