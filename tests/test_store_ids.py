"""A row records in which session store its session is."""

from __future__ import annotations

import socket

import pytest
from django.conf import settings as project_settings
from django.contrib.sessions.backends import file
from django.contrib.sessions.backends.base import SessionBase
from django.db import connections

from session_limit.store.store_ids import is_own, store_id
from tests.drivers import library

BACKENDS = "django.contrib.sessions.backends"
REDIS = "django.core.cache.backends.redis.RedisCache"


class SessionStore(SessionBase):
    """The session engine of a third party, with settings of its own."""


@pytest.fixture
def cached(settings):
    """Return a function that gives the id of a cache with these settings."""

    def cached(**parameters):
        settings.SESSION_ENGINE = f"{BACKENDS}.cache"
        settings.CACHES = {"default": {"BACKEND": REDIS, **parameters}}
        return store_id()

    return cached


def test_an_id_fits_its_column_and_stays(settings):
    for name in ("db", "cached_db", "cache", "file"):
        settings.SESSION_ENGINE = f"{BACKENDS}.{name}"
        assert len(store_id()) == 32
        assert store_id() == store_id()
        assert is_own(store_id())
        assert not is_own("0" * 32)
        assert is_own(None)


def test_a_new_secret_key_moves_no_session(settings):
    before = store_id()
    settings.SECRET_KEY = "another"
    assert store_id() == before


def test_a_cookie_is_no_store(settings):
    settings.SESSION_ENGINE = f"{BACKENDS}.signed_cookies"
    assert store_id() is None


def test_engines_that_share_nothing_differ(settings, cached):
    found = {cached(LOCATION="redis://redis/0")}
    for name in ("db", "file"):
        settings.SESSION_ENGINE = f"{BACKENDS}.{name}"
        found.add(store_id())
    assert len(found) == 3


def test_the_durable_part_of_cached_db_is_its_table(settings):
    settings.SESSION_ENGINE = f"{BACKENDS}.db"
    before = store_id()
    settings.SESSION_ENGINE = f"{BACKENDS}.cached_db"
    assert store_id() == before


@pytest.mark.parametrize(
    "other",
    [
        {"LOCATION": "redis://redis/1"},
        {"LOCATION": "redis://another/0"},
        {"LOCATION": ["redis://redis/0", "redis://replica/0"]},
        {"LOCATION": "redis://redis/0", "KEY_PREFIX": "shop"},
        {"LOCATION": "redis://redis/0", "VERSION": 2},
        {"LOCATION": "redis://redis/0", "OPTIONS": {"db": 1}},
    ],
)
def test_caches_that_do_not_share_sessions(cached, other):
    assert cached(**other) != cached(LOCATION="redis://redis/0")


@pytest.mark.parametrize(
    "same",
    [
        {"LOCATION": "redis://:secret@redis/0"},
        {"LOCATION": "redis://somebody:another@redis/0"},
        {"LOCATION": "redis://redis/0", "TIMEOUT": 5},
        {"LOCATION": "redis://redis/0", "OPTIONS": {"socket_timeout": 1}},
        {"LOCATION": "redis://redis/0", "KEY_PREFIX": "", "VERSION": 1},
    ],
)
def test_caches_that_share_sessions(cached, same):
    """A password that changes, or a timeout of one process, moves no session."""
    assert cached(**same) == cached(LOCATION="redis://redis/0")


@pytest.mark.parametrize(
    "location",
    [
        "redis://localhost:6379/0",
        "redis://127.0.0.1:6379/0",
        "redis://:secret@127.0.0.1/0",
        "redis://[::1]/0",
        "unix:/run/memcached.sock",
        "/run/redis.sock",
        "127.0.0.1:11211",
        "",
    ],
)
def test_the_same_address_on_two_machines(cached, monkeypatch, location):
    """Each of two machines has a cache of its own at this address."""
    here = cached(LOCATION=location)
    monkeypatch.setattr(socket, "gethostname", lambda: "another")
    assert cached(LOCATION=location) != here


def test_the_same_address_on_the_network(cached, monkeypatch):
    here = cached(LOCATION="redis://redis.example.com/0")
    monkeypatch.setattr(socket, "gethostname", lambda: "another")
    assert cached(LOCATION="redis://redis.example.com/0") == here


def test_files(settings, tmp_path, monkeypatch):
    settings.SESSION_ENGINE = f"{BACKENDS}.file"
    found = set()
    for name, cookie in [("a", "sessionid"), ("b", "sessionid"), ("b", "other")]:
        settings.SESSION_COOKIE_NAME = cookie
        # The engine remembers the directory.
        monkeypatch.setattr(
            file.SessionStore, "_storage_path", str(tmp_path / name), raising=False
        )
        found.add(store_id())
    assert len(found) == 3


class Elsewhere:
    """Keep stored sessions in the database ``sessions``."""

    def db_for_write(self, model, **hints):
        return "sessions" if model._meta.label == "sessions.Session" else None


@pytest.mark.parametrize("changed", [{}, {"NAME": "b"}, {"HOST": "b"}, {"PORT": "1"}])
def test_databases(settings, monkeypatch, changed):
    library("psycopg")
    settings.SESSION_ENGINE = f"{BACKENDS}.db"
    own = store_id()
    place = {"ENGINE": "django.db.backends.postgresql", "NAME": "a", "HOST": "a"}
    template = {**connections.settings["default"], **place, "PORT": "5432"}
    settings.DATABASE_ROUTERS = [Elsewhere()]
    found = []
    for database in (template, {**template, **changed}):
        monkeypatch.setitem(connections.settings, "sessions", database)
        found.append(store_id())
        del connections["sessions"]
    assert own not in found
    assert (found[0] == found[1]) == (not changed)


@pytest.mark.django_db
def test_the_name_of_the_registrys_own_database_does_not_matter(settings, monkeypatch):
    """One server reaches it through a pool at another address."""
    settings.SESSION_ENGINE = f"{BACKENDS}.db"
    before = store_id()
    monkeypatch.setitem(connections["default"].settings_dict, "HOST", "pool")
    assert store_id() == before


def test_tenants_with_a_schema_each(settings, monkeypatch):
    settings.SESSION_ENGINE = f"{BACKENDS}.db"
    found = set()
    for schema in ("one", "two"):
        monkeypatch.setattr(
            connections["default"], "schema_name", schema, raising=False
        )
        found.add(store_id())
    assert len(found) == 2


def test_an_engine_of_a_third_party(settings):
    settings.SESSION_ENGINE = __name__
    found = set()
    for host, password in [("a", "secret"), ("b", "secret"), ("b", "another")]:
        settings.SESSION_REDIS = {"host": host, "password": password}
        found.add(store_id())
    assert len(found) == 2
    settings.SESSION_COOKIE_AGE = 60
    assert store_id() in found


def test_the_engine_of_this_run():
    assert (store_id() is None) == (project_settings.ENGINE == "signed_cookies")
