"""
Redis or Valkey, by publish and subscribe (``django-session-limit[redis]``): one server,
the master that Sentinels name, or any node of a Redis Cluster.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cached_property
from typing import Any
from uuid import UUID

from django.core import checks
from redis import ConnectionPool, Redis, RedisError
from redis import asyncio as redis_asyncio
from redis.asyncio import sentinel as asyncio_sentinel
from redis.asyncio.connection import parse_url as asyncio_parse_url
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from session_limit.bus.base import Bus
from session_limit.bus.messages import decode, encode
from session_limit.bus.redis_addresses import is_address, options_of, place_of

# How long one wait for a server may last, in seconds: to connect, to send, or to be
# answered. A request waits while its process publishes, but never for the subscriber.
PATIENCE = 0.1
SUBSCRIBERS_PATIENCE = 2.0
# After how many seconds of silence the subscriber asks whether the server is there.
PING = 5.0


class RedisBus(Bus):
    """
    Publish and subscribe through Redis or Valkey.

    ``url`` is an address that redis-py understands (``redis://``, ``rediss://``,
    ``unix://``). With Redis Cluster it is a list of the addresses of several nodes. A
    Cluster passes a message to all of its nodes, so one node that answers is enough.

    ``sentinels`` is a list of the addresses of Redis Sentinels. The host in ``url`` is
    then the name of the master that they watch (``redis://:password@mymaster/0``).

    ``channel`` is the name of the channel. Other projects may share it, because
    messages are hints.
    """

    crosses_processes = True

    def __init__(
        self,
        url: str | Sequence[str],
        channel: str = "session_limit",
        sentinels: str | Sequence[str] = (),
    ) -> None:
        self.urls = _listed(url)
        self.sentinels = _listed(sentinels)
        self.channel = channel
        # The processes of a project spread over the nodes, and a subscriber that lost
        # one node tries the next.
        nodes = random.sample(self.urls, len(self.urls))
        self._turns = itertools.cycle(nodes)

    @property
    def address(self) -> str:
        """Where the servers are, for messages to people, without credentials."""
        places = [place_of(url) for url in self.urls]
        if self.sentinels:
            places = [place_of(url, "{host}/{db}") for url in self.urls]
            places += [
                place_of(url, "Sentinel {host}:{port}") for url in self.sentinels
            ]
        return ", ".join(places)

    def publish(self, ids: Sequence[UUID]) -> None:
        messages = list(encode(ids))
        clients, until = self._publishers, time.monotonic() + PATIENCE
        for number, client in enumerate(clients, start=1):
            try:
                with client.pipeline(transaction=False) as pipeline:
                    for message in messages:
                        pipeline.publish(self.channel, message)
                    pipeline.execute()
            except RedisError:
                # The next call starts at the next node. This one goes on only if the
                # node refused without a wait, because a request waits for it.
                self._publishers = [*clients[number:], *clients[:number]]
                if number == len(clients) or time.monotonic() > until:
                    raise
            else:
                return

    @cached_property
    def _publishers(self) -> list[Redis]:
        # One client for all threads, and for forked processes: its pool handles both.
        # Under ASGI each request has its own thread, and connecting takes longer than
        # publishing.
        if not self.sentinels:
            return [_client(url, PATIENCE) for url in self.urls]
        manager = Sentinel([])
        manager.sentinels = [_client(url, PATIENCE / 2) for url in self.sentinels]
        options = _options_of_master(self.urls[0])
        return [manager.master_for(**_bounds(Retry, PATIENCE) | options)]

    async def subscribe(self) -> AsyncGenerator[Sequence[UUID] | None]:
        async with self._subscriber() as client, client.pubsub() as pubsub:
            await pubsub.subscribe(self.channel)
            answer_is_due = True
            while True:
                wait = SUBSCRIBERS_PATIENCE if answer_is_due else PING
                message = await pubsub.get_message(timeout=wait)
                if message is None and answer_is_due:
                    raise RedisError("The server does not answer.")
                answer_is_due = message is None
                if message is None:
                    await pubsub.ping()
                # A second "subscribe" would say that redis-py connected again by
                # itself, and that messages may have been lost in between.
                elif message["type"] == "subscribe":
                    yield None
                elif message["type"] == "message":
                    yield decode(message["data"])

    @asynccontextmanager
    async def _subscriber(self) -> AsyncIterator[redis_asyncio.Redis]:
        """Yield a client of the next node, or of the master that Sentinels name now."""
        url = next(self._turns)
        async with AsyncExitStack() as stack:
            if not self.sentinels:
                client = _async_client(url, SUBSCRIBERS_PATIENCE)
            else:
                manager = asyncio_sentinel.Sentinel([])
                for each in random.sample(self.sentinels, len(self.sentinels)):
                    sentinel = _async_client(each, SUBSCRIBERS_PATIENCE / 2)
                    manager.sentinels.append(sentinel)
                    stack.push_async_callback(sentinel.aclose)
                bounds = _bounds(AsyncRetry, SUBSCRIBERS_PATIENCE)
                client = manager.master_for(**bounds | _options_of_master(url))
            yield await stack.enter_async_context(client)

    def check(self) -> Iterable[checks.CheckMessage]:
        # The messages do not quote an address: parts of a password could be in it.
        if not all(is_address(url) for url in (*self.urls, *self.sentinels)):
            yield checks.Error(
                "SESSION_LIMIT_BUS has an address that is not one of Redis.",
                hint='Write "redis://host:6379/0", "rediss://..." or "unix://..." for '
                "the url and for each of the sentinels, and percent-encode what is "
                "special in a password.",
                id="session_limit.E023",
            )
        elif not self.urls or (
            self.sentinels
            and (len(self.urls) > 1 or not options_of(self.urls[0]).get("host"))
        ):
            yield checks.Error(
                "The url of SESSION_LIMIT_BUS names no server, or does not fit its "
                "sentinels.",
                hint='With sentinels, write "redis://mymaster/0": one url, with the '
                "name of the master that they watch as its host. A list of several "
                "urls is for Redis Cluster, without sentinels.",
                id="session_limit.E031",
            )
        elif len(self.urls) > 1 and any(options_of(url).get("db") for url in self.urls):
            yield checks.Error(
                "SESSION_LIMIT_BUS lists nodes of a Redis Cluster with a database "
                "other than 0, which is the only one that a Cluster has.",
                hint="Remove the database from the addresses. To keep projects apart, "
                "give each a channel of its own.",
                id="session_limit.E032",
            )


def _listed(addresses: str | Sequence[str]) -> list[str]:
    return [addresses] if isinstance(addresses, str) else list(addresses)


def _client(url: str, patience: float) -> Redis:
    options = _bounds(Retry, patience) | options_of(url)
    return Redis.from_pool(ConnectionPool(**options))


def _async_client(url: str, patience: float) -> redis_asyncio.Redis:
    options = _bounds(AsyncRetry, patience) | options_of(url, asyncio_parse_url)
    return redis_asyncio.Redis.from_pool(redis_asyncio.ConnectionPool(**options))


def _bounds(retry: Any, patience: float) -> dict[str, Any]:
    return {
        "socket_timeout": patience,
        "socket_connect_timeout": patience,
        # By default redis-py connects again without reporting that it lost messages.
        "retry": retry(NoBackoff(), 0),
        "retry_on_error": [],
    }


def _options_of_master(url: str) -> dict[str, Any]:
    """Return what ``Sentinel.master_for()`` takes for this address."""
    options = options_of(url)
    options.pop("port", None)
    options["service_name"] = options.pop("host")
    options["ssl"] = options.pop("connection_class", None) is not None
    return options
