"""Mistakes in the place where sessions are stored, and in their cookie."""

from __future__ import annotations

import pytest
from django.conf import settings as django_settings
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.test import override_settings

from session_limit.checks.session_storage import (
    check_cookie_flags,
    check_cookie_path,
    check_cookies,
    check_engine,
    check_processes,
)
from tests.mistakes.messages import said, the_message

CACHE = "django.contrib.sessions.backends.cache"
CACHED_DB = "django.contrib.sessions.backends.cached_db"
DB = "django.contrib.sessions.backends.db"
DUMMY = "django.core.cache.backends.dummy.DummyCache"
MEMORY = "django.core.cache.backends.locmem.LocMemCache"
REDIS = "django.core.cache.backends.redis.RedisCache"


class OurDummy(DummyCache):
    pass


class OurMemory(LocMemCache):
    pass


def caches(backend, alias="default"):
    return {alias: {"BACKEND": backend}}


@pytest.mark.parametrize(
    ("engine", "why"),
    [
        ("nowhere.sessions", "No module named 'nowhere'"),
        ("django.contrib.sessions.backend.db", "No module named"),
        ("tests.views", "is not a session engine"),
        (f"{DB}.SessionStore", "No module named"),
        (None, "None is not a session engine"),
        (3, "3 is not a session engine"),
    ],
)
def test_an_engine_that_is_none(engine, why):
    with override_settings(SESSION_ENGINE=engine):
        assert why in the_message(check_engine, "E204")


@pytest.mark.parametrize("engine", [CACHE, CACHED_DB])
@pytest.mark.parametrize(
    ("alias", "defined"),
    [
        ("sessions", caches(REDIS)),
        ("default", {}),
        ("default", {"default": {}}),
        ("default", caches("nowhere.Cache")),
        (["default"], caches(REDIS)),
    ],
)
def test_a_cache_that_is_not_defined(engine, alias, defined):
    values = {"SESSION_CACHE_ALIAS": alias, "CACHES": defined}
    with override_settings(SESSION_ENGINE=engine, **values):
        text = the_message(check_engine, "E501")
    assert f'"{alias}" (SESSION_CACHE_ALIAS)' in text


@pytest.mark.parametrize("backend", [DUMMY, f"{__name__}.OurDummy"])
def test_a_cache_that_stores_nothing(backend):
    values = {"SESSION_ENGINE": CACHE, "CACHES": caches(backend)}
    with override_settings(**values):
        assert "stores nothing" in the_message(check_engine, "E502")
    # The database still has the sessions.
    with override_settings(**values | {"SESSION_ENGINE": CACHED_DB}):
        assert said(check_engine) == {}
    with override_settings(**values | {"SESSION_ENGINE": DB}):
        assert said(check_engine) == {}


@pytest.mark.parametrize("backend", [MEMORY, f"{__name__}.OurMemory"])
def test_a_cache_that_each_process_has_for_itself(backend):
    with override_settings(SESSION_ENGINE=CACHE, CACHES=caches(backend)):
        assert said(check_engine) == {}
        text = the_message(check_processes, "W503")
    assert "Please sign in again" in text


@pytest.mark.parametrize(
    ("engine", "backend"), [(CACHED_DB, MEMORY), (DB, MEMORY), (CACHE, REDIS)]
)
def test_a_cache_that_all_processes_share(engine, backend):
    with override_settings(SESSION_ENGINE=engine, CACHES=caches(backend)):
        assert said(check_processes) == said(check_engine) == {}


# The cookie


@pytest.mark.parametrize(
    ("name", "value", "also"),
    [
        ("CSRF_COOKIE_NAME", "sessionid", "CSRF tokens"),
        ("LANGUAGE_COOKIE_NAME", "sessionid", "the language"),
        ("SESSION_COOKIE_NAME", "csrftoken", "CSRF tokens"),
        ("SESSION_COOKIE_NAME", "messages", "django.contrib.messages"),
        ("SESSION_COOKIE_NAME", "session_limit_browser", "recognizing browsers"),
        ("SESSION_COOKIE_NAME", "session_limit_pending", "wait for a choice"),
        ("CSRF_COOKIE_NAME", "session_limit_browser", "recognizing browsers"),
    ],
)
def test_two_cookies_of_one_name(name, value, also):
    with override_settings(**{name: value}):
        text = the_message(check_cookies, "E504")
    assert f'"{value}"' in text
    assert also in text


@pytest.mark.parametrize(
    "values",
    [
        {"SESSION_COOKIE_NAME": "__Host-sessionid"},
        # Neither is the session's.
        {"CSRF_COOKIE_NAME": "both", "LANGUAGE_COOKIE_NAME": "both"},
        {"SESSION_COOKIE_NAME": "csrftoken", "CSRF_USE_SESSIONS": True},
        {
            "SESSION_COOKIE_NAME": "messages",
            "MESSAGE_STORAGE": "django.contrib.messages.storage.session.SessionStorage",
        },
        {"SESSION_COOKIE_SAMESITE": "None", "SESSION_COOKIE_SECURE": True},
        {"SESSION_COOKIE_SAMESITE": "Strict"},
        {"SESSION_COOKIE_SAMESITE": None},
    ],
)
def test_cookies_that_are_right(values):
    with override_settings(**values):
        assert said(check_cookies) == {}


@pytest.mark.parametrize("value", ["None", "none"])
def test_a_cookie_that_browsers_refuse(value):
    with override_settings(SESSION_COOKIE_SAMESITE=value):
        assert "Browsers refuse" in the_message(check_cookies, "W505")


@pytest.mark.parametrize(
    ("secure", "http_only", "named"),
    [
        (False, True, "Set SESSION_COOKIE_SECURE = True."),
        (True, False, "Set SESSION_COOKIE_HTTPONLY = True."),
        (False, False, "SECURE = True and SESSION_COOKIE_HTTPONLY = True."),
    ],
)
def test_a_cookie_that_can_be_copied(secure, http_only, named):
    with override_settings(
        SESSION_COOKIE_SECURE=secure, SESSION_COOKIE_HTTPONLY=http_only
    ):
        assert named in the_message(check_cookie_flags, "W506")


def test_only_the_ways_that_are_open_are_named():
    with override_settings(SESSION_COOKIE_SECURE=True, SESSION_COOKIE_HTTPONLY=False):
        text = the_message(check_cookie_flags, "W506")
    assert "by a script" in text
    assert "unencrypted" not in text


def test_a_cookie_that_cannot_be_copied():
    assert django_settings.SESSION_COOKIE_HTTPONLY
    with override_settings(SESSION_COOKIE_SECURE=True):
        assert said(check_cookie_flags) == {}


@pytest.mark.parametrize("path", ["/shop/", "/accounts", "/account/sessionsx", "/a/"])
def test_a_path_that_excludes_the_pages(path):
    with override_settings(SESSION_COOKIE_PATH=path):
        text = the_message(check_cookie_path, "W507")
    assert f'"{path}"' in text
    assert '"/account/sessions/"' in text


@pytest.mark.parametrize(
    "path", ["/", "/account", "/account/", "/account/sessions/", "", None, "shop"]
)
def test_a_path_that_includes_the_pages(path):
    with override_settings(SESSION_COOKIE_PATH=path):
        assert said(check_cookie_path) == {}


@override_settings(SESSION_COOKIE_PATH="/shop/", ROOT_URLCONF="tests.views")
def test_a_project_without_the_pages_needs_no_path_to_them():
    assert said(check_cookie_path) == {}
