"""
Test sessions in a cache that stalls.

A call that waits for it fails in time, and its thread ends.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from django.core.cache import caches

from session_limit.asgi import database_threads
from tests.asgi.test_sockets import story
from tests.asgi.wire import until
from tests.faults.proxy import Proxy

pytestmark = pytest.mark.services("redis")


@pytest.fixture
def network(settings, monkeypatch):
    """Yield a proxy in front of the cache that stores the sessions."""
    monkeypatch.setattr(database_threads, "PATIENCE", 0.5)
    url = urlsplit(settings.REDIS_URL)
    with Proxy(url.hostname, url.port or 6379) as proxy:
        settings.CACHES = {
            "default": {
                "BACKEND": "django.core.cache.backends.redis.RedisCache",
                "LOCATION": f"redis://127.0.0.1:{proxy.port}/0",
            }
        }
        settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"
        yield proxy


def test_a_stalled_cache_holds_no_thread_for_ever(network):
    """
    A thread that waits for a stalled cache ends.

    Otherwise a stall of some seconds would use up the threads that may be abandoned.
    """

    def get():
        return caches["default"].get("session-limit-nothing")

    @story
    async def _():
        thread = database_threads.DatabaseThread()
        assert await thread.run(get) is None
        network.stall()
        with pytest.raises(database_threads.TookTooLong):
            await thread.run(get)
        assert await thread.run(get) is None
        await until(lambda: not thread._abandoned)
        thread.close()


def test_what_the_project_has_set_stays(network, settings):
    settings.CACHES["default"]["OPTIONS"] = {"socket_timeout": 30}

    def options():
        return vars(caches["default"])["_options"]

    @story
    async def _():
        thread = database_threads.DatabaseThread()
        found = await thread.run(options)
        assert found == {"socket_timeout": 30, "socket_connect_timeout": 2}
        assert options() == {"socket_timeout": 30}
        thread.close()
