"""Test the Redis bus over Sentinels and over a Cluster while their servers fail."""

import asyncio
import contextlib
import time
from contextlib import aclosing
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.test import override_settings

from session_limit import bus, registry
from session_limit.asgi import hub
from session_limit.bus import get_bus
from session_limit.models import UserSession
from session_limit.testing import LAPTOP
from tests.asgi.test_sockets import Application, story
from tests.asgi.wire import ENDED, Socket, verified
from tests.bus import brokers
from tests.bus.buses import REDIS
from tests.drivers import library
from tests.stories.people import Visitor, make_user

redis = library("session_limit.bus.redis")

pytestmark = [pytest.mark.services("sentinel")]

# In seconds. A publisher may delay a request by 0.25 s, and the bus delivers within
# milliseconds. Both bounds leave time for a busy machine.
BOUND = 0.75
AT_ONCE = 0.75
# In seconds: one sweep, with time for a busy machine.
SWEPT = 3.0
# In seconds. A failover takes 2 s here, and a publisher that failed pauses for 5 s.
RECOVERED = 20.0


class Listener:
    """A subscriber that reconnects as the hub does, and records what it hears."""

    def __init__(self, used):
        self.used = used
        self.heard = set()
        self.connected = 0
        self.errors = []

    async def __aenter__(self):
        self.task = asyncio.create_task(self.listen())
        await self.until(lambda: self.connected)
        return self

    async def __aexit__(self, *error):
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    async def listen(self):
        while True:
            try:
                async with aclosing(self.used.subscribe()) as heard:
                    async for ids in heard:
                        self.connected += ids is None
                        self.heard.update(ids or ())
            except Exception as error:
                self.errors.append(error)
            await asyncio.sleep(0.1)

    async def until(self, holds, patience=RECOVERED):
        """Wait until ``holds()`` is true, and return how many seconds that took."""
        began = time.monotonic()
        while not holds():
            assert time.monotonic() - began < patience, self.errors
            await asyncio.sleep(0.01)
        return time.monotonic() - began

    async def hears(self, publish):
        """Publish an id with ``publish``, and return once the listener has heard it."""
        id = uuid4()
        await asyncio.to_thread(publish, [id])
        await self.until(lambda: id in self.heard, AT_ONCE)
        return True

    async def hears_again(self, publish):
        """Publish until the listener hears it. Return how many seconds that took."""
        began = time.monotonic()
        while time.monotonic() - began < RECOVERED:
            id = uuid4()
            with contextlib.suppress(redis.RedisError):
                await asyncio.to_thread(publish, [id])
            await asyncio.sleep(AT_ONCE / 2)
            if id in self.heard:
                return time.monotonic() - began
        raise AssertionError(self.errors)


async def cost_of_failing(publish):
    """Return how many seconds ``publish`` takes to raise."""
    began = time.monotonic()
    with pytest.raises(redis.RedisError):
        await asyncio.to_thread(publish, [uuid4()])
    return time.monotonic() - began


@pytest.fixture
def watched(tmp_path):
    with brokers.watched(tmp_path, brokers.PASSWORD) as servers:
        yield servers


@pytest.fixture
def cluster(tmp_path):
    with brokers.cluster(tmp_path) as nodes:
        yield nodes


@pytest.fixture
def used(watched, channel):
    """Set ``SESSION_LIMIT_BUS`` to a bus over Sentinels, and yield that bus."""
    setting = {"BACKEND": REDIS, "OPTIONS": {**watched.options, "channel": channel}}
    with override_settings(SESSION_LIMIT_BUS=setting):
        yield get_bus()


def subscribers(server, channel):
    """Return how many connections are subscribed to this channel at a server."""
    answer = server.ask("PUBSUB", "NUMSUB", channel)
    return answer[1] if answer else 0


@pytest.mark.django_db(transaction=True)
def test_open_pages_are_told_before_during_and_after_a_failover(
    watched, used, monkeypatch, settings
):
    """The bus closes sockets before and after the failover, and the sweep during it."""
    settings.ROOT_URLCONF = "tests.asgi.urls"
    ada, visitor, sweep = make_user("ada"), Visitor(LAPTOP), hub.SWEEP

    async def told(scene):
        """Return how many seconds after its session's end an open socket is closed."""
        await sync_to_async(visitor.sign_in)(path="/login/")
        async with Socket(Application(), visitor) as socket:
            await socket.accepted()
            await verified()
            await sync_to_async(registry.end_all)(ada, UserSession.Reason.REVOKED)
            ended = time.monotonic()
            assert await socket.closed() == (ENDED, "revoked")
        took = time.monotonic() - ended
        print(f"{scene}: told after {1000 * took:.0f} ms")
        return took

    @story
    async def _():
        async with Listener(used) as listener:
            assert await listener.hears(bus.publish)
            monkeypatch.setattr(hub, "SWEEP", 3600.0)
            assert await told("before") < AT_ONCE

            await hub.current_hub().stop()
            monkeypatch.setattr(hub, "SWEEP", sweep)
            watched.master.kill()
            assert await cost_of_failing(used.publish) < BOUND
            assert await told("during") < SWEPT

            print(
                f"at once again after {await listener.hears_again(bus.publish):.1f} s"
            )
            assert listener.connected == 2
            # Wait until the hub has subscribed too, because only then can it do without
            # the sweep.
            await asyncio.to_thread(
                brokers.until, lambda: subscribers(watched.master, used.channel) == 2
            )
            monkeypatch.setattr(hub, "SWEEP", 3600.0)
            await asyncio.sleep(2 * sweep)
            assert await told("after") < AT_ONCE


def test_a_master_that_is_demoted(watched, used):
    """
    Subscribers stay connected to the old master until the Sentinels make it a replica.

    That closes their connections, and all of them reconnect to the new master.
    """

    @async_to_sync
    async def run():
        async with Listener(used) as listener:
            assert await listener.hears(used.publish)
            old = watched.master
            watched.sentinels[0].ask("SENTINEL", "FAILOVER", brokers.MASTER)
            await asyncio.to_thread(brokers.until, lambda: watched.master != old)
            # Both the listener and the publisher are still connected to the old master.
            assert await listener.hears(used.publish)
            late = redis.RedisBus(**watched.options, channel=used.channel)
            async with Listener(late) as other:
                assert await other.hears(late.publish)
                await asyncio.to_thread(
                    brokers.until, lambda: "slave" in str(old.ask("ROLE"))
                )
                print(
                    f"together after {await listener.hears_again(late.publish):.1f} s"
                )
                assert listener.connected == 2
                for each in (used, late):
                    assert await listener.hears(each.publish)
                    assert await other.hears(each.publish)

    run()


def test_a_master_that_freezes(watched, used, monkeypatch):
    """
    The subscriber leaves a suspended master when a ping is not answered.

    A suspended master keeps its connections, so nothing else shows that it stopped.
    """
    monkeypatch.setattr(redis, "PING", 0.5)

    @async_to_sync
    async def run():
        async with Listener(used) as listener:
            assert await listener.hears(used.publish)
            watched.master.freeze()
            assert await cost_of_failing(used.publish) < BOUND
            took = await listener.until(lambda: listener.errors)
            assert took < redis.PING + redis.SUBSCRIBERS_PATIENCE + 1
            await listener.hears_again(used.publish)
            assert listener.connected == 2

    run()


def test_sentinels_that_do_not_answer_are_passed_over(watched, channel):
    for sentinel in watched.sentinels[:2]:
        sentinel.freeze()
    used = redis.RedisBus(**watched.options, channel=channel)

    @async_to_sync
    async def run():
        began = time.monotonic()
        await asyncio.to_thread(used.publish, [uuid4()])
        assert time.monotonic() - began < BOUND
        async with Listener(used) as listener:
            assert await listener.hears(used.publish)

    run()


def test_any_node_of_a_cluster_will_do(cluster, channel):
    """
    The bus works through any node of a Cluster.

    If a node fails it uses another, even if the Cluster then lacks slots.
    """
    urls = [node.url for node in cluster]
    used = redis.RedisBus(urls, channel)

    @async_to_sync
    async def run():
        async with Listener(used) as listener:
            for url in urls:
                assert await listener.hears(redis.RedisBus(url, channel).publish)
            publishing = redis.RedisBus(urls, channel)
            assert await listener.hears(publishing.publish)
            listens = next(node for node in cluster if subscribers(node, channel))
            listens.kill()
            others = [url for url in urls if url != listens.url]
            publishing = redis.RedisBus([listens.url, *others], channel)
            await asyncio.to_thread(publishing.publish, [uuid4()])
            took = await listener.until(lambda: listener.connected == 2)
            print(f"another node is listened at after {took:.2f} s")
            for node in set(cluster) - {listens}:
                assert await listener.hears(redis.RedisBus(node.url, channel).publish)

    run()
