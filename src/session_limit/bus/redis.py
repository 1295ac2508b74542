"""
Notify processes of ended sessions through a channel of Redis or Valkey.

The channel is on one server, on Redis Cluster, or on the master that Redis Sentinels
name.
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
from redis import ConnectionPool, Redis, RedisError, Sentinel
from redis import asyncio as redis_asyncio
from redis.asyncio.connection import parse_url as asyncio_parse_url
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from session_limit.bus.base import Bus
from session_limit.bus.messages import decode, encode
from session_limit.bus.redis_addresses import is_address, options_of, place_of

# How many seconds the publisher and the subscriber wait for a server to connect, send
# or receive. A request waits for the publisher, but never for the subscriber.
PATIENCE = 0.1
SUBSCRIBERS_PATIENCE = 2.0
# After how many seconds of silence the subscriber sends a ping to the server.
PING = 5.0


class RedisBus(Bus):
    """
    A message bus that uses Redis or Valkey.

    ``url`` is an address that redis-py understands (``redis://``, ``rediss://``,
    ``unix://``). For Redis Cluster, ``url`` is a list of the addresses of several
    nodes. One reachable node is enough, because a Cluster passes each message to all
    nodes.

    ``sentinels`` is a list of the addresses of Redis Sentinels. The host in ``url`` is
    then the name of the master that they watch (``redis://:password@mymaster/0``).

    ``channel`` is the name of the publish/subscribe channel, which other projects may
    share. Install ``django-session-limit[redis]``, and set::

        SESSION_LIMIT_BUS = {
            "BACKEND": "session_limit.bus.redis.RedisBus",
            "OPTIONS": {"url": "redis://127.0.0.1:6379/0"},
        }
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
        # A random order spreads the processes of a project over the nodes. A subscriber
        # that has lost one node tries the next.
        self._turns = itertools.cycle(random.sample(self.urls, len(self.urls)))

    @property
    def address(self) -> str:
        """Return the Redis servers' addresses without credentials, joined by commas."""
        form = "{host}/{db}" if self.sentinels else "{host}:{port}/{db}"
        places = [place_of(url, form) for url in self.urls]
        places += [place_of(url, "Sentinel {host}:{port}") for url in self.sentinels]
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
                # The next call starts at the next node. This call tries another node
                # only if little time has passed, because a request waits for it.
                self._publishers = [*clients[number:], *clients[:number]]
                if number == len(clients) or time.monotonic() > until:
                    raise
            else:
                return

    @cached_property
    def _publishers(self) -> list[Redis]:
        # All threads share the clients, and so do forked processes: the pool of a
        # client supports both. A client per thread would connect in each request under
        # ASGI, which takes longer than publishing.
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
                # The first such message confirms the subscription. Another means that
                # redis-py has reconnected by itself, and may have lost messages.
                elif message["type"] == "subscribe":
                    yield None
                elif message["type"] == "message":
                    yield decode(message["data"])

    @asynccontextmanager
    async def _subscriber(self) -> AsyncIterator[redis_asyncio.Redis]:
        """Open a client for the next Redis node, or for the Sentinels' master."""
        url = next(self._turns)
        async with AsyncExitStack() as stack:
            if not self.sentinels:
                client = _async_client(url, SUBSCRIBERS_PATIENCE)
            else:
                manager = redis_asyncio.Sentinel([])
                for each in random.sample(self.sentinels, len(self.sentinels)):
                    sentinel = _async_client(each, SUBSCRIBERS_PATIENCE / 2)
                    manager.sentinels.append(sentinel)
                    stack.push_async_callback(sentinel.aclose)
                bounds = _bounds(AsyncRetry, SUBSCRIBERS_PATIENCE)
                client = manager.master_for(**bounds | _options_of_master(url))
            yield await stack.enter_async_context(client)

    def check(self) -> Iterable[checks.CheckMessage]:
        # Do not quote the address: it could contain parts of a password.
        if not all(is_address(url) for url in (*self.urls, *self.sentinels)):
            yield checks.Error(
                "SESSION_LIMIT_BUS has an address that redis-py does not understand.",
                hint='Write "redis://host:6379/0", "rediss://..." or "unix://..." for '
                "the url and each of the sentinels, and percent-encode the special "
                "characters of a password.",
                id="session_limit.E023",
            )
        elif not self.urls or (
            self.sentinels
            and (len(self.urls) > 1 or not options_of(self.urls[0]).get("host"))
        ):
            yield checks.Error(
                "The url of SESSION_LIMIT_BUS names no server, or does not match its "
                "sentinels.",
                hint='With sentinels, write one url such as "redis://mymaster/0", with '
                "the name of the master as its host. A list of several urls is for "
                "Redis Cluster, without sentinels.",
                id="session_limit.E031",
            )
        elif len(self.urls) > 1 and any(options_of(url).get("db") for url in self.urls):
            yield checks.Error(
                "SESSION_LIMIT_BUS lists nodes of a Redis Cluster with a database "
                "other than 0. A Cluster has no other database.",
                hint="Remove the database from the addresses. To separate projects, "
                "give each its own channel.",
                id="session_limit.E032",
            )


def _listed(addresses: str | Sequence[str]) -> list[str]:
    return [addresses] if isinstance(addresses, str) else list(addresses)


def _client(url: str, patience: float) -> Redis:
    return Redis.from_pool(ConnectionPool(**_bounds(Retry, patience) | options_of(url)))


def _async_client(url: str, patience: float) -> redis_asyncio.Redis:
    options = _bounds(AsyncRetry, patience) | options_of(url, asyncio_parse_url)
    return redis_asyncio.Redis.from_pool(redis_asyncio.ConnectionPool(**options))


def _bounds(retry: Any, patience: float) -> dict[str, Any]:
    return {
        "socket_timeout": patience,
        "socket_connect_timeout": patience,
        # By default redis-py reconnects without reporting that messages were lost.
        "retry": retry(NoBackoff(), 0),
        "retry_on_error": [],
    }


def _options_of_master(url: str) -> dict[str, Any]:
    """Return the arguments of ``Sentinel.master_for()`` for the master in ``url``."""
    options = options_of(url)
    options.pop("port", None)
    options["service_name"] = options.pop("host")
    options["ssl"] = options.pop("connection_class", None) is not None
    return options
