"""What one account can leave behind is limited, and is deleted with its user."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.utils import NestedObjects
from django.contrib.auth import get_user_model
from django.db import models
from django.db.models.signals import post_delete
from django.utils import timezone

from session_limit import registry
from session_limit.models import (
    PendingSignIn,
    Play,
    UserSession,
    cascade_unlisted,
)
from session_limit.registry import leases, pending, plays, pruning
from session_limit.registry.pending import Browser, SessionChanges, create_pending
from session_limit.registry.pruning import prune_plays
from session_limit.store.liveness import Row
from session_limit.utils.safe_redirects import MAX_LENGTH
from tests.stories.people import make_user, statements

Reason = UserSession.Reason
A_DAY = timedelta(days=1)
A_SECOND = timedelta(seconds=1)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada():
    return make_user("ada")


@pytest.fixture
def bob():
    return make_user("bob")


def add(user, number, *, ended=False, **fields):
    """Add sessions. If ``ended``, each ended a second later than the one before."""
    now = timezone.now()
    return UserSession.objects.bulk_create(
        UserSession(
            user=user,
            expires_at=now + A_DAY,
            ended_at=now - A_DAY + second * A_SECOND if ended else None,
            ended_reason=Reason.DISPLACED if ended else "",
            **fields,
        )
        for second in range(number)
    )


# Expired sessions are found by a statement and by Python alike


def test_a_statement_finds_due_what_python_does(ada):
    now = timezone.now()
    for reason in (Reason.EXPIRED, Reason.IDLE, Reason.ABSOLUTE):
        for late in (-1, 0, 4.9, 5, 6, 29, 30, 31, 59, 60, 61):
            for timeout in (50, 300, 6000):
                expires_at = now - late * A_SECOND
                UserSession.objects.create(
                    user=ada,
                    expires_at=expires_at,
                    expires_reason=reason,
                    last_active_at=expires_at - timeout * A_SECOND,
                )
    rows = UserSession.objects.all()
    in_time = {row.pk for row in rows if not Row.of(row).is_due(now)}
    assert 0 < len(in_time) < len(rows)
    assert set(rows.in_time(now).values_list("pk", flat=True)) == in_time


# Pending sign-ins


def pend(user, browser=None, next_url="/members/"):
    browser = browser or Browser(None, "")
    left = SessionChanges({}, {})
    return create_pending(user, left, browser, scope="", next_url=next_url)


def test_an_account_keeps_its_newest_pending_sign_ins(ada, bob):
    of_bob, _ = pend(bob)
    rows = [pend(ada)[0].pk for _ in range(pending.MAX_WAITING + 5)]
    kept = PendingSignIn.objects.filter(user=ada).order_by("expires_at", "pk")
    assert [row.pk for row in kept] == rows[5:]
    assert PendingSignIn.objects.filter(pk=of_bob.pk).exists()


def test_one_that_waits_again_is_not_the_oldest(ada):
    first, secret = pend(ada)
    for _ in range(pending.MAX_WAITING - 1):
        pend(ada)
    again, _ = pend(ada, Browser(secret, ""))
    assert again.pk == first.pk
    for _ in range(3):
        pend(ada)
    assert PendingSignIn.objects.filter(pk=first.pk).exists()
    assert PendingSignIn.objects.count() == pending.MAX_WAITING


def test_those_that_have_waited_too_long_go_first(ada):
    late = timezone.now() - A_SECOND
    pend(ada)
    PendingSignIn.objects.update(expires_at=late)
    second, _ = pend(ada)
    assert [row.pk for row in PendingSignIn.objects.all()] == [second.pk]


def test_a_pending_sign_in_reads_once_and_deletes_only_what_has_to_go(ada):
    pend(ada)
    with statements() as ran:
        pend(ada)
    assert [sql.split()[0] for sql in ran] == ["SELECT", "INSERT"]


@pytest.mark.parametrize("length", [MAX_LENGTH, MAX_LENGTH + 1])
def test_an_address_that_is_too_long_is_not_kept(ada, length):
    url = "/" * length
    row, _ = pend(ada, next_url=url)
    row.refresh_from_db()
    assert row.next == (url if length <= MAX_LENGTH else "")


# Plays


@pytest.fixture
def observed(settings):
    settings.SESSION_LIMIT_PLAYS = 1
    settings.SESSION_LIMIT_PLAYS_AT_LIMIT = "observe"


def test_a_session_plays_a_hundred_things_at_once(ada, observed, monkeypatch):
    monkeypatch.setattr(plays, "MAX_OF_SESSION", 5)
    laptop, phone = add(ada, 2)
    other = registry.play(phone).play
    started = [registry.play(laptop).play.pk for _ in range(8)]
    assert set(Play.objects.live().values_list("pk", flat=True)) == {
        other.pk,
        *started[3:],
    }
    first = Play.objects.get(pk=started[0])
    assert first.ended_reason == Play.Reason.DISPLACED
    assert first.ended_by_play == started[5]


def test_a_session_that_is_full_displaces_no_more_than_it_must(
    ada, settings, monkeypatch
):
    settings.SESSION_LIMIT_PLAYS = 3
    monkeypatch.setattr(plays, "MAX_OF_SESSION", 3)
    (laptop,) = add(ada, 1)
    started = [registry.play(laptop).play.pk for _ in range(4)]
    assert (
        list(Play.objects.live().order_by("started_at").values_list("pk", flat=True))
        == (started[1:])
    )


def test_starts_that_were_stopped_before_they_began_are_bounded(
    ada, bob, observed, monkeypatch
):
    monkeypatch.setattr(leases, "MAX_STOPPED", 5)
    laptop, phone = add(ada, 2)
    (other,) = add(bob, 1)
    registry.stop_start(other, "key")
    played = registry.play(laptop, key="played").play
    registry.stop_play(played.pk, laptop.pk)
    for number in range(8):
        registry.stop_start(laptop if number % 2 else phone, str(number))
    assert Play.objects.filter(user=bob).count() == 1
    assert Play.objects.begun().count() == 1
    assert Play.objects.filter(user=ada).count() == 5 + 1
    # The newest stops are still known.
    assert registry.play(laptop, key="7").play.ended_at is not None
    assert registry.play(phone, key="0").play.ended_at is None


# Tombstones


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(pruning, "MAX_KEPT", 10)
    monkeypatch.setattr(pruning, "BATCH", 4)


def test_an_account_keeps_its_newest_tombstones(ada, bob, few):
    rows = add(ada, 25, ended=True)
    add(bob, 10, ended=True)
    add(ada, 3)
    assert registry.prune(dry_run=True) == (0, 15)
    assert registry.prune() == (0, 15)
    ended = UserSession.objects.ended().for_user(ada).order_by("ended_at")
    assert list(ended) == rows[15:]
    assert UserSession.objects.live().count() == 3
    assert UserSession.objects.for_user(bob).count() == 10
    assert registry.prune() == (0, 0)


def test_what_is_too_old_is_not_counted_twice(ada, few):
    add(ada, 12, ended=True)
    old = add(ada, 3, ended=True)
    UserSession.objects.filter(pk__in=[row.pk for row in old]).update(
        ended_at=timezone.now() - 60 * A_DAY
    )
    assert registry.prune(dry_run=True) == (0, 5)
    assert registry.prune() == (0, 5)


def test_an_account_keeps_its_newest_plays(ada, few, settings):
    settings.SESSION_LIMIT_PLAYS = 1
    (laptop,) = add(ada, 1)
    ids = [registry.play(laptop).play.pk for _ in range(14)]
    assert prune_plays() == 3
    assert set(Play.objects.values_list("pk", flat=True)) == set(ids[3:])


def test_an_account_without_a_surplus_costs_one_statement(ada, few):
    add(ada, 10, ended=True)
    with statements() as ran:
        assert pruning._delete_surplus(UserSession.objects.ended()) == 0
    assert len(ran) == 1


# Deleting a user


def left_of(user_id):
    return [
        model.objects.filter(user_id=user_id).count()
        for model in (UserSession, PendingSignIn)
    ]


@pytest.mark.parametrize("way", ["instance", "queryset", "proxy", "admin"])
def test_a_users_rows_go_with_them_in_any_way(ada, bob, way):
    for user in (ada, bob):
        add(user, 20)
        add(user, 20, ended=True)
        pend(user)
    user_id, users = ada.pk, get_user_model().objects.filter(pk=ada.pk)
    if way == "instance":
        ada.delete()
    elif way == "queryset":
        users.delete()
    elif way == "proxy":
        proxy = make_proxy()
        proxy.objects.filter(pk=user_id).delete()
    else:
        collector = NestedObjects(using="default", origin=ada)
        collector.collect([ada])
        collector.delete()
    assert left_of(user_id) == [0, 0]
    assert left_of(bob.pk) == [40, 1]
    assert not users.exists()


def make_proxy():
    user_model = get_user_model()
    meta = type("Meta", (), {"proxy": True, "app_label": "proxies"})
    fields = {"__module__": __name__, "Meta": meta}
    return type("ProxyOfUser", (user_model,), fields)


def test_deleting_a_user_reads_no_session_that_has_ended(ada):
    ran = []
    for number in (3, 300):
        user = make_user(f"ada{number}")
        add(user, number, ended=True)
        with statements() as each:
            user.delete()
        ran.append(len(each))
    few, many = ran
    assert many == few


def test_who_deletes_a_user_in_the_admin_is_not_shown_every_session(ada):
    add(ada, 300)
    pend(ada)
    collector = NestedObjects(using="default", origin=ada)
    with statements() as ran:
        collector.collect([ada])
    assert not [sql for sql in ran if UserSession._meta.db_table in sql]
    shown = {type(each) for each in flat(collector.nested())}
    assert UserSession not in shown
    assert PendingSignIn not in shown


def flat(nested):
    for each in nested:
        if isinstance(each, list):
            yield from flat(each)
        else:
            yield each


def test_a_project_that_listens_hears_of_each_row(ada):
    rows = add(ada, 5)
    heard = []

    def deleted(instance, **kwargs):
        heard.append(instance.pk)

    post_delete.connect(deleted, sender=UserSession)
    try:
        ada.delete()
    finally:
        post_delete.disconnect(deleted, sender=UserSession)
    assert sorted(heard) == sorted(row.pk for row in rows)


def test_only_what_can_be_many_is_not_listed():
    found = {
        model: model._meta.get_field("user").remote_field.on_delete
        for model in (UserSession, PendingSignIn, registry.limits.AccountLimit)
    }
    assert list(found.values()) == [cascade_unlisted, cascade_unlisted, models.CASCADE]
