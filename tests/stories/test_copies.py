"""A project may copy and pickle ``request.session``, and audit libraries see no key."""

from __future__ import annotations

import copy
import pickle

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user, logout
from django.contrib.sessions.middleware import SessionMiddleware
from django.db.models.signals import post_init, post_save, pre_save
from django.http import HttpResponse
from django.test import RequestFactory

from session_limit import registry
from session_limit.middleware import SessionLimitMiddleware
from session_limit.models import UserSession
from session_limit.store.guarded import GuardedSession
from session_limit.testing import PHONE
from tests import stores
from tests.stories.people import SIGNED_IN, reasons

Reason = UserSession.Reason


def in_view(visitor, view):
    """Run ``view`` in a request of ``visitor``, and return its result."""
    factory = RequestFactory(headers={"user-agent": visitor.user_agent})
    request = factory.get("/")
    if visitor.cookie:
        request.COOKIES["sessionid"] = visitor.cookie
    results = []

    def answer(request):
        results.append(view(request))
        return HttpResponse()

    SessionMiddleware(SessionLimitMiddleware(answer))(request)
    return results[0]


def pickled(session):
    return pickle.loads(pickle.dumps(session))  # noqa: S301 pickled here


def can(copied):
    """Return whether the engine itself, without this package, can be copied."""
    session = stores.engine()()
    session.exists("neverstored")  # opens a connection to the cache
    try:
        copied(session)
    except TypeError:
        # The engine keeps a cache, which has a lock or a module.
        return False
    return True


@pytest.fixture(params=[copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
def copied(request):
    if not can(request.param):
        pytest.skip("this engine itself cannot be copied")
    return request.param


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled])
def test_what_can_be_copied_does_not_depend_on_this_package(ada, laptop, copied):
    laptop.sign_in()

    def view(request):
        request.session.get("basket")
        if can(copied):
            copied(request.session)
        else:
            with pytest.raises(TypeError):
                copied(request.session)

    in_view(laptop, view)


@pytest.mark.parametrize("is_loaded", [False, True])
def test_a_copy_has_the_data_of_its_session(ada, laptop, copied, is_loaded):
    laptop.sign_in()

    def view(request):
        if is_loaded:
            request.session["basket"] = [1]
        other = copied(request.session)
        assert isinstance(other, stores.engine())
        assert isinstance(other, GuardedSession)
        assert other.session_key == request.session.session_key
        assert dict(other.items()) == dict(request.session.items())
        assert other.session_limit_state is not request.session.session_limit_state
        if is_loaded:
            other["basket"].append(2)
            is_shared = copied is copy.copy
            assert request.session["basket"] == ([1, 2] if is_shared else [1])
        return other["_auth_user_id"]

    assert in_view(laptop, view) == str(ada.pk)
    assert laptop.state == SIGNED_IN


@pytest.mark.parametrize("is_loaded", [False, True])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_holds_the_engines_own_session(ada, laptop, is_loaded, protocol):
    if not can(pickled):
        pytest.skip("this engine itself cannot be pickled")
    laptop.sign_in()

    def view(request):
        if is_loaded:
            request.session["basket"] = [1]
        pickle_of_it = pickle.dumps(request.session, protocol)
        assert b"session_limit.store" not in pickle_of_it
        assert b"session_limit_state" not in pickle_of_it
        other = pickle.loads(pickle_of_it)  # noqa: S301 pickled here
        assert type(other) is stores.engine()
        assert ("_session_cache" in vars(other)) is is_loaded
        assert other.session_key == request.session.session_key
        assert dict(other.items()) == dict(request.session.items())

    in_view(laptop, view)
    assert laptop.state == SIGNED_IN


def test_a_copy_of_an_ended_session_is_nobody(ada, laptop, copied, monkeypatch):
    """Even if the store still holds the session's data."""
    laptop.sign_in()
    before = laptop.stored
    registry.end_all(ada, Reason.REVOKED)
    laptop.stored = before

    def view(request):
        request.session = copied(request.session)
        return get_user(request).is_authenticated

    assert in_view(laptop, view) is False
    assert laptop.state == Reason.REVOKED


@pytest.mark.parametrize("is_loaded", [False, True])
def test_a_copy_that_takes_the_sessions_place_can_sign_out(
    ada, laptop, copied, is_loaded
):
    laptop.sign_in()

    def view(request):
        if is_loaded:
            assert request.session["_auth_user_id"]
        request.session = copied(request.session)
        logout(request)

    in_view(laptop, view)
    assert reasons() == [Reason.SIGNED_OUT]


def test_a_copy_of_a_copy(laptop, copied):
    def view(request):
        request.session["basket"] = [1]
        return copied(copied(request.session))["basket"]

    assert in_view(laptop, view) == [1]


def test_a_session_is_copied_in_async_code(ada, laptop, copied):
    laptop.sign_in()

    async def get(session):
        return await copied(session).aget("_auth_user_id")

    def view(request):
        return async_to_sync(get)(request.session)

    assert in_view(laptop, view) == str(ada.pk)


def test_no_signal_passes_a_live_key_on(ada, laptop, phone, settings):
    """Audit libraries store whatever the signals of a model pass to them."""
    settings.SESSION_LIMIT = 2
    keys = []

    def record(sender, instance, **kwargs):
        keys.append(instance.session_key)

    for signal in (pre_save, post_save):
        signal.connect(record, sender=UserSession)
    try:
        laptop.sign_in()
        phone.sign_in()
        laptop.sign_in()  # again, in the same browser
        laptop.open()
        laptop.change_password("better horse")
        phone.sign_in(password="better horse")
        phone.sign_out()
        registry.end_all(ada, Reason.REVOKED)
    finally:
        for signal in (pre_save, post_save):
            signal.disconnect(record, sender=UserSession)
    assert keys == []
    assert UserSession.objects.count() == 3


def test_a_new_row_is_complete(ada, laptop):
    """The object that signals of this package pass on is that of the database."""
    seen = []

    def keep(sender, instance, **kwargs):
        seen.append(instance)

    post_init.connect(keep, sender=UserSession)
    try:
        laptop.sign_in()
    finally:
        post_init.disconnect(keep, sender=UserSession)
    row = UserSession.objects.get()
    new = next(each for each in seen if each.pk == row.pk)
    assert not new._state.adding
    assert new._state.db == "default"
    assert new.key_recorded_at == row.key_recorded_at
    assert new.device == row.device
    assert PHONE not in row.device
