"""
Force each way in which one of Django's session engines brings deleted data back.

Each test also asserts that the data did come back, because it would prove nothing
otherwise.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from contextlib import suppress

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache

from session_limit import registry
from session_limit.models import UserSession
from tests import stores
from tests.interleavings.browsers import Tab, is_only_live, is_told, live, whose
from tests.interleavings.gates import aside, aside_in_loop, stops_at

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.interleavings.urls"),
    stores.CHOSEN,
]

BACKENDS = "django.contrib.sessions.backends"
DISPLACED = UserSession.Reason.DISPLACED


@pytest.fixture
def engine(settings, tmp_path):
    """Return a function that selects an engine, with a cache in this process."""

    def choose(name):
        settings.ENGINE = name
        settings.SESSION_ENGINE = f"{BACKENDS}.{name}"
        settings.CACHE = settings.LOCAL_MEMORY
        settings.CACHES = {"default": settings.CACHE}
        settings.SESSION_FILE_PATH = str(tmp_path)

    yield choose
    caches["default"].clear()


def is_back_and_nobodys(laptop, key):
    """
    Return whether ``key`` authenticates nobody, although it leads to a user's data.
    """
    assert "_auth_user_id" in stores.read(key)
    assert is_told(laptop.get("/"))
    return whose(key) is None


STORES_LATE = {
    # The engine checks that the session is stored, and then stores it again.
    "cache": (LocMemCache, "set"),
    # The engine writes to the database, and then fills the cache.
    "cached_db": (LocMemCache, "set"),
    # The engine writes a temporary file, and moves it to the path of the deleted one.
    "file": (shutil, "move"),
}


@pytest.mark.parametrize("name", STORES_LATE)
def test_saved_over_what_was_deleted(ada, browser, engine, monkeypatch, name):
    """The session is displaced and deleted between two steps of ``save()``."""
    engine(name)
    laptop, phone = browser(), browser()
    laptop.sign_in(ada)
    owner, step = STORES_LATE[name]
    stops_at(monkeypatch, owner, step)
    with aside(lambda: laptop.get("/write/"), before=step) as writing:
        phone.sign_in(ada)
        assert stores.read(laptop.key) == {}
        writing.result()
    assert is_back_and_nobodys(laptop, laptop.key)
    assert is_only_live(ada, phone)


def test_cache_sets_and_deletes_in_one_loop(ada, engine, monkeypatch):
    """
    One event loop serves two requests, one in ``asave()`` and the other in
    ``adelete()``.
    """
    engine("cache")
    laptop, phone = Tab(asynchronous=True), Tab(asynchronous=True)
    laptop.sign_in(ada)

    @async_to_sync
    async def scenario():
        held = aside_in_loop(monkeypatch, BaseCache, "aset")
        writing = asyncio.create_task(laptop.client.get("/save-async/"))
        await held.reached.wait()
        credentials = {"username": ada.get_username(), "password": "pw"}
        response = await phone.client.post("/alogin/", credentials)
        assert response.status_code == 302
        held.opened.set()
        await writing

    scenario()
    assert is_back_and_nobodys(laptop, laptop.key)
    assert is_only_live(ada, phone)


def test_cached_db_is_filled_again_after_a_delete(ada, browser, engine, monkeypatch):
    """``cached_db.load()`` reads the database, and then fills the cache."""
    engine("cached_db")
    laptop, phone = browser(), browser()
    laptop.sign_in(ada)
    caches["default"].clear()
    stops_at(monkeypatch, LocMemCache, "set")
    with aside(lambda: laptop.get("/"), before="set") as reading:
        phone.sign_in(ada)
        assert stores.read(laptop.key) == {}
        # The request began before the sign-in, but its row is read afterwards.
        assert is_told(reading.result())
    assert is_back_and_nobodys(laptop, laptop.key)
    assert is_only_live(ada, phone)


def test_cached_db_is_filled_by_a_read_before_the_commit(ada, browser, engine):
    """
    A request that does not see the deletion yet fills the cache with the deleted data.
    """
    engine("cached_db")
    laptop, phone = browser(), browser()
    laptop.sign_in(ada)
    key = laptop.key
    caches["default"].clear()
    with aside(lambda: phone.sign_in(ada), after="DELETE FROM django_session") as late:
        assert laptop.get("/").status_code == 200
        assert stores.cached()
        late.result()
    assert whose(key) is None
    assert is_told(laptop.get("/"))
    # The cache entry is deleted again after the commit.
    assert stores.read(key) == {}
    assert is_only_live(ada, phone)


@pytest.mark.parametrize("name", STORES_LATE)
def test_an_old_copy_ends_no_newer_one(ada, browser, engine, name):
    """
    A password change gives the session another hash. An engine may bring back the data
    from before: it authenticates nobody, and flushing it does not end the session.
    Fails if every flush of data with an invalid hash ends the row.
    """
    engine(name)
    laptop = browser()
    laptop.sign_in(ada)
    key, copy = laptop.key, stores.read(laptop.key)
    laptop.change_password()
    stores.write(key, copy)
    assert whose(key) is None
    assert is_only_live(ada, laptop)
    assert whose(laptop.key) == "ada"
    assert get_user_model().objects.get().check_password("new")


@pytest.fixture
def redis_of_ours(settings, tmp_path):
    """Start a Redis server that can stop and return with its data."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    class Server:
        def start(self):
            command = ["redis-server", "--port", str(port), "--dir", str(tmp_path)]
            command += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                # It accepts connections while it still loads its data.
                with socket.socket() as client, suppress(OSError):
                    client.settimeout(1)
                    client.connect(("127.0.0.1", port))
                    client.sendall(b"PING\r\n")
                    if client.recv(16) == b"+PONG\r\n":
                        return
                time.sleep(0.05)
            pytest.fail("redis-server never answered.")

        def stop(self):
            self.process.kill()
            self.process.wait()

    server = Server()
    server.start()
    settings.CACHE = {**settings.REDIS, "LOCATION": f"redis://127.0.0.1:{port}/0"}
    settings.CACHES = {"default": settings.CACHE}
    yield server
    server.stop()


@pytest.mark.services("redis")
@pytest.mark.parametrize("name", ["cache", "cached_db"])
def test_the_cache_is_away_while_a_session_ends(
    ada, browser, settings, redis_of_ours, name, caplog
):
    """
    A session can end while the cache is unreachable. The row ends, nothing is raised,
    and the data that the cache still has authenticates nobody.
    """
    settings.SESSION_ENGINE = f"{BACKENDS}.{name}"
    laptop, phone = browser(), browser()
    laptop.sign_in(ada)
    redis_of_ours.stop()
    (ended,) = registry.end_all(ada, UserSession.Reason.REVOKED)
    assert "A stored session could not be deleted." in caplog.text
    redis_of_ours.start()
    assert "_auth_user_id" in stores.read(laptop.key)
    assert is_told(laptop.get("/"), UserSession.Reason.REVOKED)
    assert whose(laptop.key) is None
    assert live(ada) == []
    assert phone.sign_in(ada).status_code == 302
    assert whose(phone.key) == "ada"
    ended.refresh_from_db()
    assert ended.ended_reason == UserSession.Reason.REVOKED


# The signed_cookies engine stores nothing, so nothing can be deleted, and the signature
# of every copy is valid.


@pytest.fixture
def signed(engine):
    engine("signed_cookies")


def copies(tab, *paths):
    """Return every cookie that ``tab`` had while it opened these pages."""
    seen = [tab.key]
    for path in paths:
        tab.get(path)
        seen.append(tab.key)
    return seen


def test_no_copy_of_a_displaced_signed_cookie_is_anybodys(ada, browser, signed):
    laptop, phone = browser(), browser()
    laptop.sign_in(ada)
    seen = copies(laptop, "/write/", "/put/?item=tea", "/write/")
    assert len(set(seen)) == len(seen)
    phone.sign_in(ada)
    phone.post("/logout/")
    assert [whose(key) for key in seen] == [None] * len(seen)
    assert UserSession.objects.count() == 2
    assert live(ada) == []


def test_a_signed_cookie_that_is_saved_when_its_session_has_ended(ada, browser, signed):
    """
    The session ends before its request is saved. The response says so, and the
    browser's cookie authenticates nobody.
    """
    laptop, phone = browser(), browser()
    laptop.sign_in(ada)
    with aside(
        lambda: laptop.get("/write/"), before="SELECT session_limit_usersession"
    ) as writing:
        phone.sign_in(ada)
        assert is_told(writing.result())
    assert whose(laptop.key) is None
    assert is_only_live(ada, phone)


def test_a_password_changed_in_a_signed_cookie(ada, browser, signed):
    """
    The copies from before the change authenticate nobody, and end nothing. Fails if
    every flush of data with an invalid hash ends the row.
    """
    laptop = browser()
    laptop.sign_in(ada)
    seen = copies(laptop, "/write/")
    laptop.change_password()
    assert [whose(key) for key in seen] == [None] * len(seen)
    assert whose(laptop.key) == "ada"
    assert is_only_live(ada, laptop)


def test_a_signed_cookie_from_before_installation(ada, browser, signed, settings):
    """
    A cookie from before the installation is used, ended and replayed: it is adopted
    once. Another cookie from before that ending is not adopted either, because it may
    be a copy. Fails if ``adopt()`` does not check when the cookie was signed.
    """
    settings.SESSION_LIMIT = 5
    laptop = browser()
    laptop.post("/set-by-hand/", {"username": "ada"})
    old = laptop.key
    # Under plain Django, the browser would have gone on and have a newer cookie.
    data = {**stores.read(old), "page": 2}
    laptop.client.cookies["sessionid"] = stores.write(old, data)
    assert laptop.get("/").status_code == 200
    assert len(live(ada)) == 1
    laptop.post("/logout/")
    for _ in range(3):
        assert whose(old) is None
    assert live(ada) == []


def test_a_signed_cookie_expires_when_it_should(ada, browser, signed):
    """
    The session's own expiry ends a signed cookie, although Django accepts its signature
    for ``SESSION_COOKIE_AGE`` whatever ``set_expiry()`` said (#19201). Fails if a
    session's expiry is always left to the engine.
    """
    laptop = browser()
    laptop.sign_in(ada)
    UserSession.objects.update(expires_at="2020-01-01T00:00:00Z")
    assert whose(laptop.key) is None
    assert live(ada) == []
