"""Test how the Redis bus reads its options, and that it never shows a password."""

import asyncio
import traceback
from contextlib import aclosing
from itertools import islice
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.test import override_settings

from session_limit.checks.settings import check_settings
from tests.bus import brokers
from tests.bus.buses import REDIS
from tests.bus.test_buses import PATIENCE, nobody, rude, silent
from tests.drivers import library

redis = library("session_limit.bus.redis")
options_of = redis.options_of

pytestmark = pytest.mark.services("redis")

# In seconds: a publisher may wait 0.25 s, and a busy machine takes longer.
BUSY = 0.75
SENTINELS = ["redis://:geheim@a:26379", "rediss://u:geheim@b:26380"]


@pytest.mark.parametrize(
    ("options", "address"),
    [
        ({"url": "redis://u:geheim@h:1234/2"}, "h:1234/2"),
        ({"url": "redis://"}, "localhost:6379/0"),
        ({"url": "rediss://:geheim@h?password=geheim"}, "h:6379/0"),
        ({"url": "redis://h?db=3&username=geheim"}, "h:6379/3"),
        ({"url": "redis://:geheim@[::1]:7000"}, "[::1]:7000/0"),
        ({"url": "unix://u:geheim@/run/redis.sock"}, "/run/redis.sock?db=0"),
        ({"url": "unix:///a?db=2&password=geheim"}, "/a?db=2"),
        ({"url": ["redis://:geheim@a:1", "redis://b:2"]}, "a:1/0, b:2/0"),
        (
            {"url": "redis://:geheim@mymaster/1", "sentinels": SENTINELS},
            "mymaster/1, Sentinel a:26379, Sentinel b:26380",
        ),
        # redis-py would connect to port 12, or to no port at all.
        ({"url": "redis://u:12#geheim@h:1"}, "an address that is not one of Redis"),
        ({"url": "redis://u:12/geheim@h:1"}, "an address that is not one of Redis"),
        ({"url": "redis://u:12?geheim@h:1"}, "an address that is not one of Redis"),
        ({"url": "redis://u:geheim#12@h:1"}, "an address that is not one of Redis"),
    ],
)
def test_its_address_has_no_credentials(options, address):
    used = redis.RedisBus(**options)
    assert used.address == address
    assert not any("geheim" in str(message) for message in used.check())


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ({"url": "redis://u:p%23@h:1/0"}, []),
        ({"url": "rediss://h?ssl_ca_certs=/etc/ssl/ca.pem"}, []),
        ({"url": "unix:///run/redis.sock?db=1"}, []),
        ({"url": ["redis://a", "redis://b"]}, []),
        ({"url": ["redis://a/1"]}, []),
        ({"url": "redis://mymaster/1", "sentinels": SENTINELS}, []),
        ({"url": "rediss://mymaster", "sentinels": SENTINELS[0]}, []),
        ({"url": "http://h"}, ["E023"]),
        ({"url": "redis://u:a#b@h"}, ["E023"]),
        ({"url": "redis://a:1,b:2/0"}, ["E023"]),
        ({"url": "redis://h?db=x"}, ["E023"]),
        ({"url": "redis://h/name"}, ["E023"]),
        ({"url": "redis://h?no_such_option=1"}, ["E023"]),
        ({"url": ["redis://a", "b"]}, ["E023"]),
        # Other packages take Sentinels as pairs of host and port.
        ({"url": "redis://mymaster", "sentinels": [("a", 26379)]}, ["E023"]),
        ({"url": []}, ["E031"]),
        ({"url": [], "sentinels": SENTINELS}, ["E031"]),
        ({"url": "redis:///0", "sentinels": SENTINELS}, ["E031"]),
        ({"url": "unix:///a", "sentinels": SENTINELS}, ["E031"]),
        ({"url": ["redis://a", "redis://b"], "sentinels": SENTINELS}, ["E031"]),
        ({"url": ["redis://a", "redis://b/1"]}, ["E032"]),
        ({"sentinels": SENTINELS}, ["E022"]),
        ({"url": None}, ["E022"]),
        ({"url": "redis://h", "service": "mymaster"}, ["E022"]),
    ],
)
def test_what_is_wrong_with_its_options_is_told(options, ids):
    with override_settings(SESSION_LIMIT_BUS={"BACKEND": REDIS, "OPTIONS": options}):
        found = [message.id for message in check_settings()]
    assert found == [f"session_limit.{id_}" for id_ in ids]


def test_a_subscriber_tries_one_node_after_the_other():
    used = redis.RedisBus([f"redis://{host}" for host in "abc"])
    turns = list(islice(used._turns, 6))
    assert set(turns) == set(used.urls)
    assert turns[:3] == turns[3:]


def test_an_error_says_why_and_holds_no_password():
    with nobody() as port:
        sentinels = [f"redis://:geheim@127.0.0.1:{port}"]
        used = redis.RedisBus("redis://u:geheim@mymaster", sentinels=sentinels)

        @async_to_sync
        async def listen():
            await anext(used.subscribe())

        for fail in (lambda: used.publish([uuid4()]), listen):
            with pytest.raises(redis.RedisError) as raised:
                fail()
            text = "".join(traceback.format_exception(raised.value))
            assert str(port) in text
            assert "geheim" not in text


@pytest.mark.parametrize("url", ["redis://u:geheim@h", "rediss://h?password=geheim"])
def test_no_option_of_a_connection_is_a_password(url):
    """Options contain no password, because redis-py 6 and 7 quote them in errors."""
    options = options_of(url)
    assert "geheim" not in repr(options)
    assert "geheim" in options["credential_provider"].get_credentials()


@pytest.mark.parametrize("how", [nobody, silent, rude])
def test_no_node_answers(how):
    """A request waits for one silent node at most, and the next one tries another."""
    with how() as first, how() as second:
        used = redis.RedisBus([f"redis://127.0.0.1:{port}" for port in (first, second)])
        before = list(used._publishers)
        began = redis.time.monotonic()
        with pytest.raises(redis.RedisError):
            used.publish([uuid4()])
        assert redis.time.monotonic() - began < BUSY
    # If the nodes refuse at once, one request has tried them all.
    after = before[1:] + before[:1] if how is silent else before
    assert used._publishers == after


@pytest.mark.parametrize("sentinels", [(), ["redis://127.0.0.1:{}"] * 3])
def test_a_server_that_says_nothing_is_left(sentinels, monkeypatch):
    monkeypatch.setattr(redis, "SUBSCRIBERS_PATIENCE", 0.2)
    with silent() as port:
        sentinels = [url.format(port) for url in sentinels]
        used = redis.RedisBus(f"redis://127.0.0.1:{port}", sentinels=sentinels)

        @async_to_sync
        async def listen():
            await asyncio.wait_for(anext(used.subscribe()), PATIENCE)

        with pytest.raises(redis.RedisError):
            listen()


def test_a_request_waits_little_for_sentinels():
    with silent() as port:
        sentinels = [f"redis://127.0.0.1:{port}"] * 3
        used = redis.RedisBus("redis://mymaster", sentinels=sentinels)
        began = redis.time.monotonic()
        with pytest.raises(redis.RedisError):
            used.publish([uuid4()])
        assert redis.time.monotonic() - began < BUSY


@pytest.mark.services("sentinel")
def test_a_server_that_answers_no_ping_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(redis, "PING", 0.2)
    monkeypatch.setattr(redis, "SUBSCRIBERS_PATIENCE", 0.5)
    with brokers.started(tmp_path) as server:

        @async_to_sync
        async def listen():
            async with aclosing(redis.RedisBus(server.url).subscribe()) as heard:
                assert await anext(heard) is None
                waiting = asyncio.ensure_future(anext(heard))
                # The subscriber stays as long as the server answers its pings.
                done, _ = await asyncio.wait({waiting}, timeout=1.5)
                assert not done
                server.freeze()
                with pytest.raises(redis.RedisError):
                    await asyncio.wait_for(waiting, PATIENCE)

        listen()
