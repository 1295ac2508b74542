"""Sessions that end before, during or after ``cycle_key()``."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import override_settings

from session_limit.models import UserSession
from tests import stores
from tests.interleavings.browsers import (
    is_in,
    is_only_live,
    is_told,
    key_in,
    live,
    whose,
)
from tests.interleavings.gates import (
    CREATE,
    DELETE,
    PATIENCE,
    ROW_LOCKS,
    SAVE,
    Stop,
    aside,
    at_once,
    until_blocked,
)
from tests.stories.people import long_recorded

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.interleavings.urls"),
    # tests/interleavings/test_engines.py tests what applies to signed cookies.
    stores.KEPT,
]

RECORD = "UPDATE session_limit_usersession SET session_key"


class PasswordChange:
    password = "new"
    # A password change needs no settings to be prepared.
    prepared = nullcontext

    @staticmethod
    def of(tab):
        return tab.change_password()


class NewSecretKey:
    """Rotate the key by the next page, because ``SECRET_KEY`` is now a fallback."""

    password = "pw"

    @staticmethod
    def prepared():
        return override_settings(SECRET_KEY="newer", SECRET_KEY_FALLBACKS=["tests"])

    @staticmethod
    def of(tab):
        return tab.get("/awhoami/" if tab.asynchronous else "/whoami/")


@pytest.fixture(params=[PasswordChange, NewSecretKey])
def rotation(request):
    return request.param


@pytest.mark.parametrize(
    ("where", "is_overtaken"),
    [(RECORD, True), (CREATE, False), (DELETE, True), (SAVE, True)],
    ids=["before", "recorded", "created", "after"],
)
def test_displaced_at_each_step_of_a_rotation(
    ada, browser, rotation, where, is_overtaken
):
    """
    Fails if liveness is looked up by the key alone; if ``rekey()`` writes to an ended
    row; and, as a 400, if the middleware does not save the session itself.
    """
    laptop, phone = browser(), browser()
    laptop.sign_in(ada)
    first = laptop.key
    with rotation.prepared():
        with aside(lambda: rotation.of(laptop), before=where) as rotating:
            phone.sign_in(ada, rotation.password)
            response = rotating.result()
        if is_overtaken:
            assert is_told(response)
        for key in {first, laptop.key, key_in(response.cookies), *stores.kept()}:
            assert whose(key) == ("ada" if key == phone.key else None)
        assert is_only_live(ada, phone)


def test_displaced_after_a_rotation(ada, browser, rotation):
    """
    The stored session is deleted under its new key. Fails if that key is not recorded.
    """
    laptop, phone = browser(), browser()
    laptop.sign_in(ada)
    with rotation.prepared():
        rotation.of(laptop)
        assert whose(laptop.key) == "ada"
        phone.sign_in(ada, rotation.password)
        assert whose(laptop.key) is None
        assert stores.keeps_only(phone.key)
        assert is_told(laptop.get("/"))


def test_two_who_change_the_password_at_once(ada, browser, settings):
    """
    The browser that set the final password stays signed in. Fails if a change ends the
    other sessions without checking that its own password is still valid: both have to
    sign in again.
    """
    settings.SESSION_LIMIT = 2
    laptop, phone = browser(), browser()
    laptop.sign_in(ada)
    phone.sign_in(ada)
    saved = f"UPDATE {get_user_model()._meta.db_table}"
    has_saved = Stop(saved, after=True)

    def change():
        with connection.execute_wrapper(has_saved):
            return phone.change_password("second")

    with (
        aside(change, before=saved) as second,
        aside(lambda: laptop.change_password("first"), after=saved) as first,
    ):
        second.go_on()
        assert has_saved.reached.wait(PATIENCE)
        first.result()
        has_saved.opened.set()
        assert second.result().status_code in {200, 302}
    assert get_user_model().objects.get().check_password("second")
    assert whose(laptop.key) is None
    assert is_in(phone, ada)


def test_six_parallel_rotations_then_displaced(ada, browser):
    """
    Each rotation makes a key that authenticates, but a row holds only one. Displacing
    the session ends all six. Fails if the key decides what is live: five of the six
    authenticate again.
    """
    laptop, phone = browser(), browser()
    laptop.sign_in(ada)
    tabs = [laptop.another() for _ in range(6)]
    with NewSecretKey.prepared():
        at_once([lambda tab=tab: NewSecretKey.of(tab) for tab in tabs], before=RECORD)
        keys = {tab.key for tab in tabs}
        assert len(keys) == 6
        assert [whose(key) for key in keys] == ["ada"] * 6
        assert len(live(ada)) == 1

        phone.sign_in(ada)
        assert [whose(key) for key in keys] == [None] * 6
        assert whose(phone.key) == "ada"


@ROW_LOCKS
def test_a_rotation_under_way_is_waited_for(ada, browser, atomic_requests):
    """
    The sign-in has to delete the rotation's new key, and a plain read would return the
    old one. Fails if ``live_rows()`` reads without a lock: the new key stays stored.
    """
    laptop, phone = browser(), browser()
    laptop.sign_in(ada, path="/login/")
    with (
        NewSecretKey.prepared(),
        aside(lambda: laptop.get("/whoami/"), after=DELETE) as rotating,
        aside(lambda: phone.sign_in(ada, path="/login/")) as signing_in,
    ):
        until_blocked()
        rotating.result()
        assert signing_in.result().status_code == 302
        assert stores.keeps_only(phone.key)
        assert whose(laptop.key) is None
        assert whose(phone.key) == "ada"


@ROW_LOCKS
def test_a_rotation_waits_for_the_sign_in_that_displaces_it(
    ada, browser, atomic_requests
):
    """
    The rotation waits, and neither transaction waits for a lock that the other holds.
    The newcomer gets its page, and the displaced browser is told why. Fails, as a
    deadlock, if ``cycle_key()`` stores the key before it records it.
    """
    laptop, phone = browser(), browser()
    laptop.sign_in(ada, path="/login/")
    with (
        NewSecretKey.prepared(),
        aside(lambda: phone.sign_in(ada, path="/login/"), before=DELETE) as signing_in,
        aside(lambda: laptop.get("/whoami/")) as rotating,
    ):
        until_blocked()
        assert signing_in.result().status_code == 302
        assert is_told(rotating.result())
        assert stores.keeps_only(phone.key)


@stores.ROLLED_BACK
@pytest.mark.parametrize("status", ["404", "500"])
def test_a_rotation_that_is_rolled_back_ends_nothing(
    ada, browser, atomic_requests, status
):
    """
    After the rollback, the registry holds the key that the browser still has. Fails if
    a session that cannot be saved under a key counts as deleted.
    """
    laptop = browser(raise_request_exception=False)
    laptop.sign_in(ada, path="/login/")
    key = laptop.key
    with NewSecretKey.prepared():
        response = laptop.get(f"/read-then/{status}/")
        assert response.status_code == int(status)
        assert key_in(response.cookies) is None
        assert laptop.key == key
        assert [row.session_key for row in live(ada)] == [key]
        assert whose(key) == "ada"


def test_a_sign_out_overtaken(ada, browser):
    """
    A browser is displaced while it signs out. It ends no other session, and the first
    reason stands. Fails if ``end_row()`` writes to an ended row.
    """
    laptop, phone = browser(), browser()
    laptop.sign_in(ada)
    ending = "UPDATE session_limit_usersession SET ended_at"
    with aside(lambda: laptop.post("/logout/"), before=ending) as signing_out:
        phone.sign_in(ada)
        signing_out.result()
    assert whose(phone.key) == "ada"
    (ended,) = UserSession.objects.ended()
    assert ended.ended_reason == UserSession.Reason.DISPLACED
    assert ended.ended_by_session == live(ada)[0].pk


@pytest.mark.parametrize(
    "where",
    [RECORD, CREATE, DELETE, SAVE],
    ids=["before", "recorded", "created", "deleted"],
)
def test_a_sign_out_in_another_tab_at_each_step_of_a_rotation(
    ada, browser, rotation, where
):
    """
    The other tab presents the former key, and its person reads that they are signed
    out. Fails if a sign-out ends only what it finds in the store.
    """
    laptop = browser()
    laptop.sign_in(ada)
    other = laptop.another()
    with rotation.prepared():
        with aside(lambda: rotation.of(laptop), before=where) as rotating:
            assert other.post("/logout/").status_code == 200
            rotating.result()
        assert live(ada) == []
        for key in {other.key, laptop.key, *stores.kept()}:
            assert whose(key) is None
    (ended,) = UserSession.objects.ended()
    # If only the password has been saved, the session's hash is already invalid, and
    # that reason is found first.
    assert ended.ended_reason in {"signed_out", "password_changed"}


def test_a_sign_out_in_another_tab_after_a_rotation(ada, browser, rotation):
    """The other tab sends the key from before the rotation."""
    laptop = browser()
    laptop.sign_in(ada)
    other = laptop.another()
    with rotation.prepared():
        rotation.of(laptop)
        other.post("/logout/")
        assert live(ada) == []
        assert whose(laptop.key) is None


def test_a_former_key_signs_nobody_out_later(ada, browser):
    """A former key may be in other hands, which may be why the password was changed."""
    laptop = browser()
    laptop.sign_in(ada)
    thief = laptop.another()
    laptop.change_password()
    long_recorded()
    thief.post("/logout/")
    assert is_in(laptop, ada)


def test_signing_out_when_the_store_has_lost_the_session(ada, browser):
    """A sign-out ends the row. Fails if it ends only what is stored."""
    laptop = browser()
    laptop.sign_in(ada)
    stores.empty()
    laptop.post("/logout/")
    assert live(ada) == []
