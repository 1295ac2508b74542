"""Session engines of other packages' shapes keep their keys, and explain endings."""

from __future__ import annotations

import pytest
from django.core.cache import cache

from session_limit.gateway import Question, judge
from session_limit.models import UserSession
from session_limit.store import engines
from session_limit.store.identification import Identity, identify
from tests import stores
from tests.engines import KEYS, OTHERS, is_own_key, keeping, renewing
from tests.stories.people import (
    JSON,
    SIGNED_IN,
    live,
    long_recorded,
    reasons,
    set_cookie,
)

pytestmark = stores.CHOSEN

MADE_UP = {
    "keeping": "kept:" + "a" * 32,
    "long_keys": "long." + "a" * 59,
    "renewing": "a" * 32,
}


@pytest.fixture(autouse=True)
def nothing_stored():
    yield
    keeping.stored.clear()
    renewing.users.clear()
    cache.clear()


@pytest.fixture
def choose(settings):
    """Return a function that selects an engine."""

    def choose(name):
        settings.SESSION_ENGINE = f"tests.engines.{name}"
        return name

    return choose


@pytest.fixture(params=KEYS)
def own_keys(request, choose):
    """Select an engine that makes keys of its own."""
    return choose(request.param)


@pytest.fixture(params=[*KEYS, *OTHERS])
def engine(request, choose):
    return choose(request.param)


@pytest.fixture(params=[*(name for name in KEYS if name != "long_keys"), *OTHERS])
def recorded(request, choose):
    """Select an engine with keys that a row can record."""
    return choose(request.param)


@pytest.fixture(params=MADE_UP)
def forgiving(request, choose):
    """Select an engine that keeps or renews a key under which nothing is stored."""
    return choose(request.param)


def test_each_new_key_has_the_engines_form(ada, laptop, own_keys):
    """Fails if the package makes the keys of an engine that makes its own."""
    laptop.write()
    visitor = laptop.cookie
    assert is_own_key(own_keys, visitor)
    laptop.sign_in()
    signed_in = laptop.cookie
    assert is_own_key(own_keys, signed_in)
    laptop.change_password("new")
    changed = laptop.cookie
    assert is_own_key(own_keys, changed)
    assert len({visitor, signed_in, changed}) == 3
    assert laptop.state == SIGNED_IN


def test_a_key_without_a_session_before_has_the_engines_form(ada, laptop, own_keys):
    laptop.sign_in()
    assert is_own_key(own_keys, laptop.cookie)


def test_the_displaced_person_is_told_why(ada, laptop, phone, engine):
    """Fails if only an engine that drops an unknown key makes the package look."""
    laptop.sign_in()
    phone.sign_in()
    assert laptop.state == "displaced"
    assert laptop.state == "displaced"
    assert phone.state == SIGNED_IN
    assert reasons() == ["displaced"]


def test_an_ended_session_is_deleted_from_the_store(ada, laptop, phone, engine):
    """A key that is longer than the column is not recorded, so its data stays."""
    laptop.sign_in()
    key = laptop.cookie
    [row] = live(ada)
    is_recorded = engine != "long_keys"
    assert row.session_key == (key if is_recorded else None)
    assert row.key_digest == engines.digest(key)
    phone.sign_in()
    assert stores.engine()().exists(key) != is_recorded


def test_a_session_that_other_code_deleted_holds_no_place(
    ada, laptop, phone, recorded, settings
):
    """Fails if reading a key that is not stored stores something under another key."""
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    stores.engine()().delete(laptop.cookie)
    long_recorded()
    kept = len(keeping.stored)
    phone.sign_in()
    assert phone.state == SIGNED_IN
    assert len(live(ada)) == 1
    assert len(keeping.stored) == kept + (recorded in {"keeping", "renewing"})


def test_nothing_is_stored_under_a_made_up_key(forgiving, laptop):
    """A client must not choose the key of its session (ASVS 7.2.3)."""
    laptop.cookie = MADE_UP[forgiving]
    laptop.get(laptop.path("whoami"), headers=JSON)
    assert keeping.stored == {}
    laptop.cookie = MADE_UP[forgiving]
    response = laptop.write()
    assert set_cookie(response) not in {None, "", MADE_UP[forgiving]}
    assert list(keeping.stored) == [laptop.cookie]


def test_a_made_up_key_at_the_gateway_stores_nothing(forgiving, rf):
    request = rf.get("/")
    request.COOKIES["sessionid"] = MADE_UP[forgiving]
    question = Question(MADE_UP[forgiving])
    assert judge(question, lambda: request).code == "not_signed_in"
    assert identify(request) == Identity()
    assert keeping.stored == {}


def test_an_empty_stored_session_keeps_its_key(forgiving, laptop):
    """Projects create an empty session for the sake of its key."""
    store = stores.engine()()
    store.create()
    laptop.cookie = key = store.session_key
    laptop.write()
    assert laptop.cookie == key
    assert laptop.stored["writes"] == 1


def test_signing_out_with_a_key_that_is_not_stored(ada, laptop, engine):
    """Fails if only keys of Django's own form are recognized."""
    laptop.sign_in()
    stores.engine()().delete(laptop.cookie)
    laptop.sign_out()
    assert live(ada) == []
    assert UserSession.objects.get().ended_reason == "signed_out"


def test_a_refused_sign_in_leaves_the_engine_no_user(
    ada, laptop, phone, choose, settings
):
    """Fails if an engine that keeps the user beside the data keeps the refused one."""
    choose("renewing")
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    phone.write()
    assert phone.sign_in().status_code == 403
    phone.write()
    assert renewing.users[phone.cookie] is None


def test_what_follows_an_ended_session_has_no_user(ada, laptop, phone, choose):
    choose("renewing")
    laptop.sign_in()
    key = laptop.cookie
    data, user = keeping.stored[key], renewing.users[key]
    phone.sign_in()
    # The engine brings the stored session back, as a cache may.
    keeping.stored[key], renewing.users[key] = data, user
    laptop.write()
    assert laptop.stored["writes"] == 1
    assert renewing.users[laptop.cookie] is None
