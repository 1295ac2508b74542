"""Plays of one account, and what happens while one of them starts or is renewed."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection, transaction

from session_limit import registry
from session_limit.models import DatabaseNow, Play, UserSession
from tests.interleavings.browsers import JSON, Tab
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

PLAYS = "/account/sessions/plays/"
LOCK = "INSERT INTO session_limit_accountlimit"
RECORD = "INSERT INTO session_limit_play"
RENEW = "UPDATE session_limit_play SET lease_until"
END = "UPDATE session_limit_play SET ended_at"


@pytest.fixture(autouse=True)
def plays(settings):
    settings.SESSION_LIMIT = None
    settings.SESSION_LIMIT_PLAYS = 1


@pytest.fixture
def device(ada):
    """Return a function that signs in on another device."""

    def device():
        tab = Tab()
        assert tab.sign_in(ada).status_code == 302
        return tab

    return device


def post(tab, path, **data):
    return tab.post(
        path, json.dumps(data), content_type="application/json", headers=JSON
    )


def start(tab, **data):
    return post(tab, PLAYS, **data)


def started(tab, **data):
    answer = start(tab, **data)
    assert answer.status_code == 200, answer.content
    return answer.json()["play"]


def renew(tab, id):
    return tab.post(f"{PLAYS}{id}/renew/")


def live():
    return [str(id) for id in Play.objects.live().values_list("pk", flat=True)]


def lapse(id):
    Play.objects.filter(pk=id).update(lease_until=DatabaseNow() - timedelta(seconds=1))


@pytest.mark.parametrize("at_limit", ["displace", "deny"])
def test_eight_start_at_once(at_limit, device, settings):
    """The limit holds. Fails if a start does not lock the account."""
    settings.SESSION_LIMIT_PLAYS_AT_LIMIT = at_limit
    tabs = [device() for _ in range(8)]
    answers = at_once([partial(start, tab) for tab in tabs], before=LOCK)
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == ([200] * 8 if at_limit == "displace" else [200, *[409] * 7])
    assert len(live()) == 1


@ROW_LOCKS
def test_a_start_waits_for_another(device):
    """
    The later start displaces the earlier one. Fails if a start does not lock the
    account.
    """
    first, second = device(), device()
    with (
        aside(partial(start, first), after=RECORD) as early,
        aside(partial(start, second)) as late,
    ):
        until_blocked()
        assert early.result().status_code == 200
        assert late.result().status_code == 200
    assert live() == [late.answer.json()["play"]]


@ROW_LOCKS
def test_a_renewal_under_way_is_waited_for(device, settings):
    """
    A renewal that begins in time counts, even if it commits after the lease would have
    run out. Fails if a start reads the open plays without a lock and takes this one for
    lapsed.
    """
    settings.SESSION_LIMIT_PLAYS_AT_LIMIT = "deny"
    first, second = device(), device()
    id = started(first)
    soon = DatabaseNow() + timedelta(seconds=2)
    Play.objects.filter(pk=id).update(lease_until=soon)

    def renew_in_transaction():
        with transaction.atomic():
            return registry.renew_play(id, Play.objects.get(pk=id).session_id)

    with aside(renew_in_transaction, after=RENEW) as renewal:
        with connection.cursor() as cursor:
            sleep = "SELECT pg_sleep(2.1)"
            cursor.execute(
                sleep if connection.vendor == "postgresql" else "SELECT SLEEP(2.1)"
            )
        with aside(partial(start, second)) as late:
            until_blocked()
            assert renewal.result() is True
            assert late.result().status_code == 409
    assert live() == [id]


def test_a_renewal_that_comes_too_late(device, settings):
    """
    Another play has taken the place before the renewal reaches its row. Fails if a
    start leaves lapsed plays open.
    """
    settings.SESSION_LIMIT_PLAYS_AT_LIMIT = "deny"
    first, second = device(), device()
    id = started(first)
    with aside(partial(renew, first, id), before=RENEW) as late:
        lapse(id)
        other = started(second)
        # The renewal might have begun before the lease lapsed, so that only the
        # recorded ending stops it.
        assert late.result().status_code == 410
    assert live() == [other]


def test_a_displaced_one_is_renewed(device):
    """
    A displaced play cannot be renewed. Fails if a renewal does not check whether the
    play has ended.
    """
    first, second = device(), device()
    id = started(first)
    with aside(partial(renew, first, id), before=RENEW) as late:
        other = started(second)
        assert late.result().json()["reason"] == "displaced"
    assert live() == [other]


@ROW_LOCKS
def test_a_renewal_waits_for_what_displaces_it(device):
    first, second = device(), device()
    id = started(first)
    with (
        aside(partial(start, second), after=END) as newer,
        aside(partial(renew, first, id)) as late,
    ):
        until_blocked()
        assert newer.result().status_code == 200
        assert late.result().json()["reason"] == "displaced"
    assert live() == [newer.answer.json()["play"]]


def end_first(ada):
    row = UserSession.objects.for_user(ada).earliest("created_at")
    registry.end([row.pk], UserSession.Reason.REVOKED)


def test_its_session_ends_before_it_starts(ada, device):
    """
    The start is refused, and no other play is displaced. Fails if a start does not
    check, under the account's lock, that its session is live.
    """
    first, second = device(), device()
    other = started(second)
    with aside(partial(start, first), before=LOCK) as late:
        end_first(ada)
        assert late.result().status_code == 401
    assert live() == [other]


@ROW_LOCKS
def test_its_session_ends_while_it_starts(ada, device):
    """
    The ending waits for the start. Fails if a start reads its session without a lock.
    """
    first, second = device(), device()
    with (
        aside(partial(start, first), before=RECORD) as early,
        aside(partial(end_first, ada)) as late,
    ):
        until_blocked()
        assert early.result().status_code == 200
        late.result()
    assert live() == []
    assert start(second).status_code == 200


def test_its_account_is_deleted_while_it_starts(ada, device):
    first = device()
    with aside(partial(start, first), before=LOCK) as late:
        ada.delete()
        assert late.result().status_code == 401
    assert not Play.objects.exists()


def test_a_stop_that_overtakes_its_start(device, settings):
    """
    The page was closed, and its play would keep the place. Fails if the stop records
    nothing.
    """
    settings.SESSION_LIMIT_PLAYS_AT_LIMIT = "deny"
    first, second = device(), device()
    with aside(partial(start, first, key="a"), before=LOCK) as late:
        assert post(first.another(), f"{PLAYS}stop/", key="a").status_code == 200
        answer = late.result()
    assert (answer.status_code, answer.json()["reason"]) == (410, "stopped")
    assert live() == []
    started(second)
    assert not Play.objects.begun().filter(ended_reason="stopped").exists()


@ROW_LOCKS
def test_a_retry_whose_lease_runs_out_meanwhile(device):
    """
    The answer says that the lease lapsed. Fails if a play that was not renewed is
    reported as running.
    """
    first = device()
    id = started(first, key="a")
    soon = DatabaseNow() + timedelta(seconds=0.5)
    Play.objects.filter(pk=id).update(lease_until=soon)
    # The lease runs out between the retry's read and its renewal.
    with aside(partial(start, first, key="a"), before=RENEW) as late:
        time.sleep(0.6)
        answer = late.result()
    assert (answer.status_code, answer.json()["reason"]) == (410, "lapsed")
    assert live() == []


@ROW_LOCKS
def test_another_session_that_is_newer_than_the_snapshot(
    device, settings, atomic_requests, repeatable_read
):
    """
    The play of the newer session continues. Fails if a session that the snapshot does
    not show counts as ended.
    """
    settings.SESSION_LIMIT_PLAYS = 5
    first = device()
    with aside(partial(start, first), before=LOCK) as late:
        other = started(device())
        # On PostgreSQL the client has to try again.
        assert late.result().status_code in {200, 503}
    assert other in live()


def test_one_start_sent_twice_at_once(device):
    """
    A repeated start returns the same play. Fails if the key is looked up before the
    lock.
    """
    tab = device()
    twins = [tab, tab.another()]
    answers = at_once([partial(start, each, key="a") for each in twins], before=LOCK)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len({answer.json()["play"] for answer in answers}) == 1
    assert Play.objects.count() == 1


@ROW_LOCKS
def test_starts_in_snapshots(device, atomic_requests, repeatable_read):
    """
    Each start runs in a transaction that keeps its first snapshot. The later one is
    decided by the current rows, or asked to try again.
    """
    first, second = device(), device()
    with aside(partial(start, second), before=LOCK) as late:
        id = started(first)
        answer = late.result()
    assert answer.status_code in {200, 503}
    assert len(live()) == 1
    if answer.status_code == 503:
        assert answer.headers["Retry-After"] == "1"
        assert live() == [id]


@on("sqlite")
def test_a_deadlock_is_tried_again(device):
    tab = device()
    with connection.execute_wrapper(GivesUp(RECORD)):
        started(tab)
    assert len(live()) == 1


def test_a_deadlock_in_a_transaction_of_the_projects_own(device, atomic_requests):
    """
    We do not repeat a part of the project's transaction. The answer is 503, not 500.
    """
    tab = device()
    with connection.execute_wrapper(GivesUp(RECORD)):
        answer = start(tab)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert live() == []


def test_an_end_and_a_start_lock_in_one_order(ada, device):
    """Enforcing the limit and starting plays never deadlock."""
    tabs = [device() for _ in range(3)]
    for _ in range(3):
        at_once(
            [
                *(partial(start, tab) for tab in tabs),
                partial(registry.enforce, ada),
            ],
        )
        assert len(live()) <= 1


def test_the_heartbeat_is_found_by_its_id(device):
    tab = device()
    id = started(tab)
    seen = []

    def see(execute, sql, params, many, context):
        seen.append(plain(sql))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(see):
        assert renew(tab, id).status_code == 200
    [update] = [sql for sql in seen if sql.startswith("UPDATE session_limit_play")]
    assert " AND id = " in update
