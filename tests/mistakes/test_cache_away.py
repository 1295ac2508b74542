"""A cache of sessions that does not answer."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.cache import SessionStore as CacheStore
from django.test import override_settings

from session_limit.store import guarded, unavailable


class Away:
    """A cache whose server does not answer."""

    key_prefix = ""

    def __getattr__(self, name):
        def fail(*args, **kwargs):
            raise ConnectionError("Error 111")

        return fail

    def __contains__(self, key):
        raise ConnectionError("Error 111")


def session_away(engine=CacheStore):
    session = engine()
    request = SimpleNamespace(session=session, COOKIES={}, user=AnonymousUser())
    guarded.install(request)
    request.session._cache = Away()
    return request.session


CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": [
            "redis://ada:s3cr/et@redis.internal:6379/0",
            "rediss://:s3cr#et@10.0.0.7:6380/1?password=s3cret",
        ],
    }
}


KEY = "a" * 32
ACTS = {
    "exists": lambda session: session.exists(KEY),
    "save": lambda session: session.save(must_create=True),
    "create": lambda session: session.create(),
    "delete": lambda session: session.delete(KEY),
    "aexists": lambda session: async_to_sync(session.aexists)(KEY),
    "asave": lambda session: async_to_sync(session.asave)(must_create=True),
    "acreate": lambda session: async_to_sync(session.acreate)(),
    "adelete": lambda session: async_to_sync(session.adelete)(KEY),
}


@pytest.mark.parametrize("act", ACTS)
def test_a_cache_that_is_away_is_named_without_its_password(act):
    with override_settings(CACHES=CACHES):
        session = session_away()
        with pytest.raises(ConnectionError) as raised:
            ACTS[act](session)
    [note] = raised.value.__notes__
    assert "SESSION_ENGINE stores sessions in the cache" in note
    assert '"default" of CACHES' in note
    assert "redis://redis.internal:6379/0" in note
    assert "rediss://10.0.0.7:6380/1" in note
    assert "cr" not in note.replace("s3cret", "s3cr")
    assert "ada" not in note


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("127.0.0.1:11211", "which is at 127.0.0.1:11211."),
        ("unix:/tmp/memcached.sock", "which is at unix:/tmp/memcached.sock."),
        ("unix://:pw@/tmp/redis.sock?db=0", "which is at unix:///tmp/redis.sock."),
        ("", '"default" of CACHES.'),
        (("10.0.0.1:1", "10.0.0.2:1"), "which is at 10.0.0.1:1, 10.0.0.2:1."),
    ],
)
def test_where_a_cache_is(location, said):
    with override_settings(CACHES={"default": {"LOCATION": location}}):
        assert unavailable.cache_note().endswith(said)
