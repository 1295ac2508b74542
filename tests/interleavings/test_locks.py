"""Transactions that wait for each other, and what they see afterwards."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from session_limit import registry, signals
from session_limit.conf import conf
from session_limit.models import UserSession
from session_limit.testing import clock
from tests import stores
from tests.interleavings.browsers import (
    Tab,
    is_in,
    is_told,
    key_in,
    live,
    whose,
)
from tests.interleavings.gates import (
    ROW_LOCKS,
    GivesUp,
    aside,
    at_once,
    on,
    plain,
    until_blocked,
)

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.interleavings.urls"),
]

LOCK = "INSERT INTO session_limit_accountlimit"
RECORD = "INSERT INTO session_limit_usersession"
RENEW = "UPDATE session_limit_usersession SET authenticated_at"
END = "UPDATE session_limit_usersession SET ended_at"
# A session may be displaced before its response is saved: the answer is a 401 then.
ADMITTED = {302, 401}


@pytest.fixture
def users_table(django_user_model):
    return django_user_model._meta.db_table


def sign_in(tab, user):
    # The async view would not do: Django has no ATOMIC_REQUESTS for it.
    return lambda: tab.sign_in(user, path="/login/")


@ROW_LOCKS
def test_a_sign_in_waits_for_a_password_change(
    ada, browser, atomic_requests, users_table
):
    """
    Both lock the user's row first, and neither is answered 500. Fails, as a deadlock,
    if ``session_limit`` is installed before ``django.contrib.auth``.
    """
    laptop, phone = browser(), browser()
    sign_in(laptop, ada)()
    with (
        aside(
            lambda: laptop.change_password(path="/password/"),
            after=f"UPDATE {users_table}",
        ) as changing,
        aside(sign_in(phone, ada)) as signing_in,
    ):
        until_blocked()
        assert changing.result().status_code in ADMITTED
        assert signing_in.result().status_code == 302
    # The sign-in used the old password, which has been changed since.
    assert whose(phone.key) is None
    assert whose(laptop.key) is None


@ROW_LOCKS
def test_a_password_change_waits_for_a_sign_in(ada, browser, atomic_requests):
    """
    The session that changes the password is displaced, and its browser is told why.
    Fails like the test before.
    """
    laptop, phone = browser(), browser()
    sign_in(laptop, ada)()
    with (
        aside(sign_in(phone, ada), after=LOCK) as signing_in,
        aside(lambda: laptop.change_password(path="/password/")) as changing,
    ):
        until_blocked()
        assert signing_in.result().status_code == 302
        assert is_told(changing.result())
    assert whose(laptop.key) is None


@ROW_LOCKS
@pytest.mark.urls("tests.stories.urls")
def test_two_who_end_each_other_after_giving_the_password(
    ada, settings, atomic_requests
):
    """
    The second browser learns that its session has ended, and ends no other. Fails, as a
    deadlock, if each records its new authentication before it waits for the other.
    """
    settings.SESSION_LIMIT = 2
    laptop, phone = Tab(), Tab()
    for tab in (laptop, phone):
        tab.sign_in(ada)
    long_ago = timezone.now() - timedelta(hours=1)
    UserSession.objects.update(authenticated_at=long_ago)

    def end_others(tab):
        path = "/account/sessions/end-others/"
        return lambda: tab.post(path, {"password": "pw"})

    with (
        aside(end_others(laptop), after=RENEW) as first,
        aside(end_others(phone)) as second,
    ):
        until_blocked()
        assert first.result().status_code == 200
        assert is_told(second.result(), "revoked")
    assert is_in(laptop, ada)
    assert whose(phone.key) is None


@ROW_LOCKS
@pytest.mark.parametrize("limit", [2, None])
def test_ending_all_against_a_sign_in(ada, settings, limit):
    """
    Both lock the account's sessions in the same order. Without a limit they do too,
    because the sessions are marked to be notified of a new browser. Fails, as a
    deadlock that has to be repeated, if one of them locks rows in the order in which it
    finds them: the older row was written last.
    """
    settings.SESSION_LIMIT = limit
    older, newer, newest = Tab(), Tab(), Tab()
    older.sign_in(ada)
    newer.sign_in(ada)
    first, second = UserSession.objects.order_by("pk")
    first.expires_at = second.expires_at
    first.save()

    def hold():
        with transaction.atomic():
            UserSession.objects.select_for_update().get(pk=second.pk)

    with (
        aside(hold, after="SELECT session_limit_usersession") as holding,
        aside(sign_in(newest, ada)) as signing_in,
    ):
        until_blocked(1)
        with aside(lambda: registry.end_all(ada, UserSession.Reason.REVOKED)) as ending:
            until_blocked(2)
            holding.result()
            signing_in.result()
            ending.result()
    assert signing_in.count(LOCK) == 1
    assert ending.count("SELECT session_limit_usersession.id") == 1
    assert len(live(ada)) <= 1


@ROW_LOCKS
def test_a_sign_out_against_a_sign_in(ada, browser):
    """
    The sign-in and the sign-out both succeed. Fails on MariaDB if the ending of a
    session is not repeated after a deadlock: the sign-out locks the row first, and the
    sign-in locks the index by which it finds the row.
    """
    laptop, phone = browser(), browser()
    laptop.sign_in(ada)
    (row,) = live(ada)

    def hold():
        with transaction.atomic():
            UserSession.objects.select_for_update().get(pk=row.pk)

    with (
        aside(hold, after="SELECT session_limit_usersession") as holding,
        aside(lambda: laptop.post("/logout/")) as signing_out,
    ):
        until_blocked(1)
        with aside(lambda: phone.sign_in(ada)) as signing_in:
            until_blocked(2)
            holding.result()
            assert signing_out.result().status_code == 200
            assert signing_in.result().status_code == 302
    assert is_in(phone, ada)
    row.refresh_from_db()
    assert row.ended_reason in {"signed_out", "displaced"}


class Explain:
    """
    Collect the indexes that the database considers for each UPDATE of a table by id.
    """

    def __init__(self, table):
        self.table = table
        self.indexes = {}

    def __call__(self, execute, sql, params, many, context):
        if plain(sql).startswith(f"UPDATE {self.table}") and ".id = " in plain(sql):
            with connection.cursor() as cursor:
                cursor.cursor.execute(f"EXPLAIN {sql}", params)
                plan = dict(
                    zip(
                        [column[0] for column in cursor.cursor.description],
                        cursor.cursor.fetchone(),
                        strict=True,
                    )
                )
            self.indexes[sql] = plan["possible_keys"]
        return execute(sql, params, many, context)


@on("mariadb")
def test_writes_by_id_lock_the_row_first(ada):
    """
    A write by id does not lock an index that an ending changes, because an ending
    changes it while it holds the row. Fails if the condition for live rows names an
    indexed column.
    """
    laptop = Tab()
    laptop.sign_in(ada)
    explain = Explain(UserSession._meta.db_table)
    with connection.execute_wrapper(explain), clock() as now:
        laptop.change_password(path="/password/")
        now.advance(conf.touch_interval * 2)
        laptop.get("/whoami/")
        laptop.post("/logout/")
    assert len(explain.indexes) >= 4
    assert set(explain.indexes.values()) == {"PRIMARY"}, explain.indexes


@ROW_LOCKS
@pytest.mark.parametrize("atomic", [False, True])
def test_deleting_a_user_against_a_sign_in(ada, request, atomic):
    """
    The deletion succeeds and leaves no session. Fails, as a deadlock, if it ends the
    sessions before it locks the account.
    """
    if atomic:
        request.getfixturevalue("atomic_requests")
    laptop, phone = Tab(), Tab()
    laptop.sign_in(ada)
    with (
        aside(sign_in(phone, ada), after=LOCK) as signing_in,
        aside(ada.delete) as deleting,
    ):
        until_blocked()
        assert signing_in.result().status_code in ADMITTED
        deleting.result()
    assert whose(phone.key) is None
    assert not UserSession.objects.exists()


@ROW_LOCKS
def test_two_endings_of_one_session(ada):
    """
    The first reason stands, and the signal is sent once. Fails if ``end()`` reads
    without a lock.
    """
    laptop = Tab()
    laptop.sign_in(ada)
    (row,) = live(ada)
    heard = []

    def hear(reason, **kwargs):
        heard.append(reason)

    def end(reason):
        return lambda: registry.end([row.pk], reason)

    reasons = UserSession.Reason
    signals.session_ended.connect(hear)
    try:
        with (
            aside(end(reasons.REVOKED), after=END) as first,
            aside(end(reasons.ACCOUNT_DISABLED)) as second,
        ):
            until_blocked()
            assert len(first.result()) == 1
            assert second.result() == []
    finally:
        signals.session_ended.disconnect(hear)
    assert heard == [reasons.REVOKED]
    row.refresh_from_db()
    assert row.ended_reason == reasons.REVOKED


@ROW_LOCKS
def test_two_opposite_user_switches(ada, bob, browser, atomic_requests):
    """
    Each switch ends its former session and then locks its new account, so that they
    deadlock and the database aborts one. Neither is answered 500, nothing is half done,
    and the aborted one succeeds when it tries again.
    """
    laptop, phone = browser(), browser()
    sign_in(laptop, ada)()
    sign_in(phone, bob)()
    switches = [(laptop, bob), (phone, ada)]
    responses = at_once([sign_in(tab, user) for tab, user in switches], before=END)
    statuses = [response.status_code for response in responses]
    assert sorted(statuses) in ([302, 302], [302, 503])
    for response, (tab, user) in zip(responses, switches, strict=True):
        if response.status_code == 302:
            assert is_in(tab, user)
            continue
        assert response.headers["Retry-After"]
        assert key_in(response.cookies) is None
        assert whose(tab.key) is None
    for (tab, user), status in zip(switches, statuses, strict=True):
        if status == 503:
            assert sign_in(tab, user)().status_code == 302
    assert is_in(laptop, bob)
    assert is_in(phone, ada)


@pytest.mark.parametrize("switch", [False, True])
def test_an_admission_repeated(ada, bob, browser, switch):
    """
    After a deadlock the admission starts again from the beginning. It leaves one row,
    one stored session and one cookie. Fails if it is not repeated, or if it continues
    with a key that was rolled back.
    """
    laptop, phone = browser(), browser()
    phone.sign_in(ada)
    if switch:
        laptop.sign_in(bob)
    gives_up = GivesUp(RECORD)
    with connection.execute_wrapper(gives_up):
        assert laptop.sign_in(ada).status_code == 302
    assert gives_up.left == 0
    assert is_in(laptop, ada)
    if stores.rolls_back():
        assert stores.keeps_only(laptop.key)
    assert is_told(phone.get("/"))


@ROW_LOCKS
def test_an_admission_sees_the_newest_under_repeatable_read(
    ada, browser, repeatable_read
):
    """
    The second admission succeeds at its first attempt. Fails on PostgreSQL, as a
    serialization failure that has to be repeated, if its transaction does not begin
    with READ COMMITTED.
    """
    laptop, phone = browser(), browser()
    with (
        aside(lambda: laptop.sign_in(ada), before=RECORD) as first,
        aside(lambda: phone.sign_in(ada)) as second,
    ):
        until_blocked()
        first.result()
        assert second.result().status_code == 302
    assert second.count(LOCK) == 1
    assert is_in(phone, ada)
    assert whose(laptop.key) is None


@ROW_LOCKS
def test_two_first_sign_ins_under_repeatable_read(ada, bob, browser, repeatable_read):
    """
    Two users who have no row yet are admitted at the first attempt. Fails on MariaDB if
    the transaction does not begin with READ COMMITTED, because both lock the same gap.
    """
    laptop, phone = browser(), browser()
    with (
        aside(lambda: laptop.sign_in(ada), before=RECORD) as first,
        aside(lambda: phone.sign_in(bob), before=RECORD) as second,
    ):
        first.go_on()
        second.go_on()
        assert first.result().status_code == second.result().status_code == 302
        assert first.count(LOCK) == second.count(LOCK) == 1
    assert is_in(laptop, ada)
    assert is_in(phone, bob)


def displaced_behind_its_snapshot(ada, browser, users_table):
    """
    Sign in with a snapshot that is older than another admission, and return the answer
    and both browsers.
    """
    laptop, phone = browser(), browser()
    reading = f"UPDATE {users_table}"
    with aside(sign_in(laptop, ada), before=reading) as signing_in:
        assert sign_in(phone, ada)().status_code == 302
        return signing_in.result(), laptop, phone


@on("postgresql")
def test_a_snapshot_that_is_too_old(
    ada, browser, repeatable_read, atomic_requests, users_table
):
    """
    PostgreSQL refuses writes that conflict with a newer commit. The answer is a 503
    that may be retried, and the cap holds. Fails, as a 500, without
    ``process_exception()``.
    """
    response, laptop, phone = displaced_behind_its_snapshot(ada, browser, users_table)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
    assert "no-store" in response.headers["Cache-Control"]
    assert key_in(response.cookies) is None
    assert is_in(phone, ada)

    assert sign_in(laptop, ada)().status_code == 302
    assert is_in(laptop, ada)
    assert whose(phone.key) is None


@on("mariadb")
def test_a_snapshot_that_hides_a_session(
    ada, browser, repeatable_read, atomic_requests, users_table
):
    """
    MariaDB accepts writes although the snapshot is outdated, and a plain read would not
    show the session that was admitted since. Fails if ``live_rows()`` reads without a
    lock: two sessions are live.
    """
    response, laptop, phone = displaced_behind_its_snapshot(ada, browser, users_table)
    assert response.status_code == 302
    assert is_in(laptop, ada)
    assert whose(phone.key) is None


@pytest.fixture
def immediate(options):
    options(transaction_mode="IMMEDIATE")


@on("sqlite")
def test_atomic_requests_that_begin_immediately(
    ada, browser, atomic_requests, immediate
):
    """
    The second sign-in waits before it reads anything. Fails, as "database is locked",
    if ``transaction_mode`` is not IMMEDIATE.
    """
    laptop, phone = browser(), browser()
    with (
        aside(sign_in(phone, ada), before="BEGIN") as second,
        aside(sign_in(laptop, ada), before=RECORD) as first,
    ):
        second.go_on()
        assert first.result().status_code in ADMITTED
        assert second.result().status_code == 302
    assert is_in(phone, ada)
    assert whose(laptop.key) is None


@on("sqlite")
def test_an_admission_begins_by_writing(ada, browser):
    """
    An admission waits for another even in a deferred transaction, because it begins
    with a write. Fails if it reads before it locks the account: neither can write then.
    """
    laptop, phone = browser(), browser()
    with (
        aside(lambda: phone.sign_in(ada), before=LOCK) as second,
        aside(lambda: laptop.sign_in(ada), before=RECORD) as first,
    ):
        second.go_on()
        assert first.result().status_code in ADMITTED
        assert second.result().status_code == 302
    assert is_in(phone, ada)
    assert whose(laptop.key) is None
