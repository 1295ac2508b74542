"""
Other code deletes stored sessions: single sign-out, a script, ``flush()`` elsewhere.

Such a session takes no place. A decision at the limit looks for it first, and neither
ends nor refuses anybody in its stead.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings as project_settings
from django.contrib.sessions.backends import cache, db, file
from django.core.cache import caches
from django.utils import timezone

from session_limit import registry
from session_limit.models import UserSession
from session_limit.signals import limit_reached
from session_limit.store import stored_data
from session_limit.store.store_ids import store_id
from tests import stores
from tests.stories.people import (
    SIGNED_IN,
    live,
    long_recorded,
    make_user,
    mark_as_installed_later,
    reasons,
    statements,
    writes,
)

Reason = UserSession.Reason
pytestmark = stores.KEPT


def flushed(key):
    """Do what a receiver of single sign-out does."""
    stores.engine()(key).flush()


def emptied(key):
    """Forget everything that the session held, and keep its key."""
    store = stores.engine()(key)
    store.clear()
    store.save()


def given_to_bob(key):
    """Sign in somebody else under the same key, without this package."""
    store = stores.engine()(key)
    store["_auth_user_id"] = str(make_user("bob").pk)
    store.save()


def removed(key):
    """Delete the stored session where it is stored, past the engine."""
    store = stores.engine()(key)
    if hasattr(store, "_cache"):
        store._cache.delete(store.cache_key_prefix + key)
    if isinstance(store, db.SessionStore):
        store.model.objects.filter(session_key=key).delete()
    elif not isinstance(store, cache.SessionStore):
        store.delete(key)


@pytest.fixture(params=[flushed, emptied, given_to_bob, removed])
def elsewhere(request):
    """Return a function with which other code ends the session of a browser."""

    def elsewhere(*visitors):
        for visitor in visitors:
            request.param(visitor.cookie)
        long_recorded()

    return elsewhere


@pytest.fixture
def reached():
    """Return a list of what listeners hear of the limit."""
    heard = []

    def receiver(sender, **kwargs):
        heard.append(kwargs)

    limit_reached.connect(receiver)
    yield heard
    limit_reached.disconnect(receiver)


def make_idle(*visitors):
    """Make these browsers the least recent ones, in this order."""
    now = timezone.now()
    for hours, visitor in enumerate(reversed(visitors), 1):
        rows = UserSession.objects.filter(pk=visitor.row.pk)
        rows.update(last_active_at=now - timedelta(hours=hours))


@pytest.mark.parametrize("displace", ["least_recent", "oldest"])
def test_who_is_still_signed_in_is_not_displaced(
    ada, browser, elsewhere, settings, reached, displace
):
    settings.SESSION_LIMIT, settings.SESSION_LIMIT_DISPLACE = 2, displace
    idle, busy, new = browser(), browser(), browser()
    idle.sign_in()
    busy.sign_in()
    make_idle(idle)
    elsewhere(busy)
    new.sign_in()
    assert idle.state == new.state == SIGNED_IN
    assert reasons() == [Reason.EXPIRED]
    assert reached == []


@pytest.mark.parametrize("displace", ["least_recent", "oldest", "all"])
def test_nobody_is_displaced_who_had_no_place(
    ada, laptop, phone, elsewhere, settings, reached, displace
):
    settings.SESSION_LIMIT_DISPLACE = displace
    laptop.sign_in()
    elsewhere(laptop)
    phone.sign_in()
    assert reasons() == [Reason.EXPIRED]
    assert reached == []


def test_the_one_that_a_sign_in_displaces_is_the_next(
    ada, browser, elsewhere, settings
):
    """More sessions count than the limit allows, even without the deleted one."""
    settings.SESSION_LIMIT = None
    idle, busy, ended, new = browser(), browser(), browser(), browser()
    for visitor in (idle, busy, ended):
        visitor.sign_in()
    make_idle(idle, busy)
    elsewhere(ended)
    settings.SESSION_LIMIT = 2
    new.sign_in()
    assert idle.state == "displaced"
    assert busy.state == new.state == SIGNED_IN
    assert sorted(reasons()) == [Reason.DISPLACED, Reason.EXPIRED]


@pytest.mark.parametrize("at_limit", ["deny", "ask", "observe"])
def test_nobody_is_refused(ada, browser, elsewhere, settings, reached, at_limit):
    settings.SESSION_LIMIT, settings.SESSION_LIMIT_AT_LIMIT = 2, at_limit
    laptop, ended, phone = browser(), browser(), browser()
    laptop.sign_in()
    ended.sign_in()
    elsewhere(ended)
    assert phone.sign_in().status_code == 302
    assert laptop.state == phone.state == SIGNED_IN
    assert len(live(ada)) == 2
    assert reached == []


@pytest.mark.parametrize("set_limit", [True, False])
def test_a_lower_limit_ends_nobody_in_their_stead(
    ada, browser, elsewhere, settings, set_limit
):
    settings.SESSION_LIMIT = 3
    idle, ended, busy = browser(), browser(), browser()
    for visitor in (idle, ended, busy):
        visitor.sign_in()
    make_idle(idle)
    elsewhere(ended)
    if set_limit:
        assert registry.set_limit(ada, 2) == []
    else:
        settings.SESSION_LIMIT = 2
        assert registry.enforce(ada) == []
    assert idle.state == busy.state == SIGNED_IN
    assert reasons() == [Reason.EXPIRED]


def test_a_session_from_before_installation_finds_the_place_free(
    ada, laptop, phone, elsewhere, settings
):
    settings.SESSION_LIMIT = None
    laptop.sign_in()
    mark_as_installed_later(laptop)
    phone.sign_in()
    elsewhere(phone)
    settings.SESSION_LIMIT = 1
    assert laptop.state == SIGNED_IN
    assert reasons() == [Reason.EXPIRED]


def test_signing_in_again_ends_nobody_in_their_stead(ada, browser, elsewhere, settings):
    """The limit was lowered, and this browser signs in once more."""
    settings.SESSION_LIMIT = 3
    idle, ended, here = browser(), browser(), browser()
    for visitor in (idle, ended, here):
        visitor.sign_in()
    make_idle(idle)
    elsewhere(ended)
    settings.SESSION_LIMIT = 2
    here.sign_in()
    assert idle.state == here.state == SIGNED_IN
    assert reasons() == [Reason.EXPIRED]


@pytest.mark.parametrize("at_limit", ["displace", "deny"])
def test_one_that_may_not_be_stored_yet_keeps_its_place(
    ada, laptop, phone, settings, at_limit
):
    settings.SESSION_LIMIT_AT_LIMIT = at_limit
    laptop.sign_in()
    flushed(laptop.cookie)
    phone.sign_in()
    assert reasons() == ([Reason.DISPLACED] if at_limit == "displace" else [])
    assert len(live(ada)) == 1


def test_one_that_was_active_had_been_stored(ada, laptop, phone, settings):
    """Within two minutes after its sign-in, and without another change of key."""
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    settings.SESSION_LIMIT_TOUCH_INTERVAL = 0.001
    laptop.sign_in()
    laptop.open()
    flushed(laptop.cookie)
    assert phone.sign_in().status_code == 302
    assert reasons() == [Reason.EXPIRED]


def test_one_that_was_active_may_have_a_key_that_is_not_stored_yet(
    ada, laptop, phone, settings
):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    settings.SESSION_LIMIT_TOUCH_INTERVAL = 0.001
    laptop.sign_in()
    laptop.open()
    laptop.change_password("new")
    flushed(laptop.cookie)
    assert phone.sign_in(password="new").status_code == 403


def test_an_adopted_session_whose_id_was_never_stored_counts(
    ada, laptop, phone, settings
):
    """A socket has adopted the session, and no response has stored the id."""
    settings.SESSION_LIMIT, settings.SESSION_LIMIT_AT_LIMIT = 1, "deny"
    laptop.sign_in()
    data = laptop.stored
    del data["_session_limit_id"]
    laptop.stored = data
    long_recorded()
    assert phone.sign_in().status_code == 403
    assert laptop.state == SIGNED_IN


# A store that fails ends nobody, and refuses nobody more than it would otherwise.


class Fails:
    """A read of a cache, a table or a directory that raises an error."""

    def __init__(self):
        self.reads = 0

    def __call__(self, *args):
        self.reads += 1
        raise ConnectionError("down")


@pytest.mark.parametrize("at_limit", ["displace", "deny"])
def test_a_store_that_fails(ada, browser, settings, monkeypatch, at_limit, caplog):
    settings.SESSION_LIMIT, settings.SESSION_LIMIT_AT_LIMIT = 2, at_limit
    one, two = browser(), browser()
    one.sign_in()
    two.sign_in()
    long_recorded()
    caplog.clear()
    rows = live(ada)
    with monkeypatch.context() as patch:
        fails = Fails()
        patch.setattr(stored_data, "_read", fails)
        assert registry.enforce(ada) == []
        assert fails.reads == 0
        ended = registry.set_limit(ada, 1)
        assert fails.reads == 1
    assert len(ended) == 1
    assert reasons() == [Reason.LIMIT_LOWERED]
    assert live(ada) == [row for row in rows if row not in ended]
    assert "could not be read" in caplog.text


@stores.on("cache_redis", "cache_memcached", "cache_locmem")
@pytest.mark.parametrize("hides", [True, False])
def test_a_cache_that_hides_its_errors(ada, browser, settings, monkeypatch, hides):
    """As django-redis does with IGNORE_EXCEPTIONS."""
    settings.SESSION_LIMIT = 2
    one, two = browser(), browser()
    one.sign_in()
    two.sign_in()
    long_recorded()
    kind = type(caches[project_settings.SESSION_CACHE_ALIAS])
    with monkeypatch.context() as patch:
        patch.setattr(kind, "get_many", lambda *args, **kwargs: {})
        if hides:
            patch.setattr(kind, "get", lambda self, key, default=None, **kw: default)
        registry.set_limit(ada, 1)
    assert reasons() == (
        [Reason.LIMIT_LOWERED] if hides else [Reason.EXPIRED, Reason.EXPIRED]
    )


@stores.on("file")
def test_a_directory_that_is_not_there(ada, browser, settings, monkeypatch):
    settings.SESSION_LIMIT = 2
    one, two = browser(), browser()
    one.sign_in()
    two.sign_in()
    long_recorded()
    with monkeypatch.context() as patch:
        patch.setattr(file.SessionStore, "_storage_path", "/nowhere", raising=False)
        registry.set_limit(ada, 1)
    assert reasons() == [Reason.LIMIT_LOWERED]


@stores.on("cached_db")
@pytest.mark.parametrize("fails", [True, False])
def test_what_only_the_database_holds_counts(
    ada, laptop, phone, settings, monkeypatch, fails
):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    long_recorded()
    store = stores.engine()(laptop.cookie)
    store._cache.delete(store.cache_key_prefix + laptop.cookie)
    if fails:
        monkeypatch.setattr(stored_data, "_cached", Fails())
    assert phone.sign_in().status_code == 403
    store.model.objects.all().delete()
    assert phone.sign_in().status_code == (403 if fails else 302)


# Two sites that share users but not a session store


@pytest.mark.parametrize("at_limit", ["displace", "deny"])
def test_the_session_of_another_site_counts(ada, laptop, phone, settings, at_limit):
    settings.SESSION_LIMIT_AT_LIMIT = at_limit
    laptop.sign_in()
    UserSession.objects.update(store="of another site")
    flushed(laptop.cookie)
    long_recorded()
    phone.sign_in()
    assert reasons() == ([Reason.DISPLACED] if at_limit == "displace" else [])
    assert len(live(ada)) == 1


def test_the_credentials_of_another_site_are_not_judged(ada, laptop, phone, settings):
    """The other site has a SECRET_KEY of its own, and so other session hashes."""
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    UserSession.objects.update(store="of another site", credentials="0" * 32)
    long_recorded()
    assert phone.sign_in().status_code == 403
    UserSession.objects.update(store=store_id(), session_key=None)
    assert phone.sign_in().status_code == 302
    assert reasons() == [Reason.CREDENTIALS_CHANGED]


def test_a_row_from_before_stores_were_recorded_counts_as_our_own(
    ada, laptop, phone, settings
):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    UserSession.objects.update(store=None)
    flushed(laptop.cookie)
    long_recorded()
    assert phone.sign_in().status_code == 302


@pytest.mark.parametrize("how", ["touch", "rotate"])
def test_a_session_that_is_used_is_in_this_store(ada, laptop, how):
    """The store was renamed, or a server has another name for it."""
    laptop.sign_in()
    assert laptop.row.store == store_id()
    UserSession.objects.update(
        store="its former name", last_active_at=timezone.now() - timedelta(hours=1)
    )
    laptop.open() if how == "touch" else laptop.change_password("new")
    assert laptop.row.store == store_id()


# What looking costs


@stores.on("db", "cached_db")
def test_sessions_are_read_together(ada, browser, settings):
    settings.SESSION_LIMIT = 4
    visitors = [browser() for _ in range(4)]
    for visitor in visitors:
        visitor.sign_in()
    flushed(visitors[0].cookie)
    long_recorded()
    with statements() as ran:
        registry.set_limit(ada, 3)
    table = stores.engine().get_model_class()._meta.db_table
    reads = [sql for sql in ran if sql.startswith("SELECT") and table in sql]
    assert len([sql for sql in reads if " IN (" in sql]) == 1


def test_a_sign_in_below_the_limit_reads_no_other_session(
    ada, laptop, phone, settings, monkeypatch
):
    settings.SESSION_LIMIT = 2
    laptop.sign_in()
    reads = []
    monkeypatch.setattr("session_limit.registry.not_counting.read_many", reads.append)
    phone.sign_in()
    assert reads == []


# The key is changed elsewhere


def change_key(visitor):
    """Change the key as Django does for a new password, without this package."""
    store = stores.engine()(visitor.cookie)
    store.cycle_key()
    store.save()
    visitor.cookie = store.session_key


@pytest.mark.parametrize("at_limit", ["displace", "deny", "ask"])
def test_a_session_under_a_key_from_elsewhere_keeps_its_place(
    ada, browser, settings, at_limit
):
    settings.SESSION_LIMIT, settings.SESSION_LIMIT_AT_LIMIT = 2, at_limit
    idle, here, new = browser(), browser(), browser()
    idle.sign_in()
    here.sign_in()
    make_idle(idle)
    long_recorded()
    change_key(here)
    assert here.state == SIGNED_IN
    new.sign_in()
    assert here.state == SIGNED_IN
    assert reasons() == ([Reason.DISPLACED] if at_limit == "displace" else [])


def test_a_key_from_elsewhere_is_deleted_with_its_session(ada, laptop, phone):
    laptop.sign_in()
    long_recorded()
    change_key(laptop)
    key = laptop.cookie
    laptop.open()
    phone.sign_in()
    assert laptop.state == Reason.DISPLACED
    assert not stores.engine()().exists(key)


def test_a_key_from_elsewhere_is_recorded_once(ada, laptop):
    laptop.sign_in()
    long_recorded()
    change_key(laptop)
    laptop.open()
    with statements() as ran:
        laptop.open()
    assert not writes(ran)


def test_a_key_that_a_request_has_just_recorded_stays(ada, laptop):
    """The data are stored under the key when the request ends."""
    laptop.sign_in()
    recorded = UserSession.objects.get().session_key
    change_key(laptop)
    assert laptop.state == SIGNED_IN
    assert UserSession.objects.get().session_key == recorded


def test_a_copy_under_another_key_changes_nothing(ada, laptop):
    laptop.sign_in()
    twin, recorded = laptop.twin(), laptop.cookie
    store = stores.engine()(laptop.cookie)
    copy = stores.engine()()
    copy.update(store.load())
    copy.save()
    twin.cookie = copy.session_key
    long_recorded()
    twin.open()
    assert UserSession.objects.get().session_key == recorded


def test_a_key_that_another_session_has_is_not_recorded(ada, laptop, phone, settings):
    """Other code stored the data of one session under the key of another."""
    settings.SESSION_LIMIT = None
    laptop.sign_in()
    phone.sign_in()
    long_recorded()
    data = stores.engine()(laptop.cookie).load()
    stores.engine()(laptop.cookie).flush()
    store = stores.engine()(phone.cookie)
    store.clear()
    store.update(data)
    store.save()
    keys = set(UserSession.objects.values_list("session_key", flat=True))
    assert phone.open().status_code == 200
    assert set(UserSession.objects.values_list("session_key", flat=True)) == keys
