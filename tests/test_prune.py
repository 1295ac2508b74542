"""``manage.py prunesessions`` and ``registry.prune()``."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.utils import timezone

from session_limit import registry
from session_limit.models import UserSession
from session_limit.registry import pruning
from session_limit.testing import clock
from tests.stories.people import SIGNED_IN, Visitor, make_user, reasons

Reason = UserSession.Reason
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def project(settings, transactional_db):
    settings.ROOT_URLCONF = "tests.stories.urls"
    settings.SESSION_LIMIT = None


@pytest.fixture
def ada():
    return make_user("ada")


def prune(**options):
    out = StringIO()
    call_command("prunesessions", stdout=out, **options)
    return out.getvalue()


def row(user, *, expires=DAY, ended=None, **fields):
    now = timezone.now()
    return UserSession.objects.create(
        user=user,
        expires_at=now + expires,
        ended_at=None if ended is None else now - ended,
        ended_reason="" if ended is None else Reason.DISPLACED,
        **fields,
    )


def test_nothing_to_do(ada):
    visitor = Visitor()
    visitor.sign_in()
    assert prune() == "Sessions ended: 0. Tombstones deleted: 0.\n"
    assert visitor.state == SIGNED_IN


def test_what_is_due_is_ended_and_its_stored_session_deleted(ada):
    visitor = Visitor()
    visitor.sign_in()
    (live,) = UserSession.objects.all()
    with clock() as time:
        time.advance(timedelta(days=14, minutes=2))
        assert prune() == "Sessions ended: 1. Tombstones deleted: 0.\n"
        assert visitor.state == Reason.EXPIRED
    live.refresh_from_db()
    assert live.ended_reason == Reason.EXPIRED
    assert live.session_key is None
    assert Session.objects.count() == 0


def test_nothing_is_ended_early(ada):
    """A session may have been active since its last recorded activity."""
    row(ada, expires=timedelta(seconds=-30))
    assert registry.prune() == (0, 0)
    row(ada, expires=timedelta(seconds=-61))
    assert registry.prune() == (1, 0)
    assert UserSession.objects.live().count() == 1


def test_the_reason_is_what_was_due(ada):
    for reason in (Reason.EXPIRED, Reason.IDLE, Reason.ABSOLUTE):
        row(ada, expires=-DAY, expires_reason=reason)
    assert registry.prune() == (3, 0)
    assert sorted(reasons()) == ["absolute", "expired", "idle"]


def test_tombstones_stay_for_their_retention(ada, settings):
    for days in (1, 29, 31, 400):
        row(ada, expires=-DAY, ended=timedelta(days=days))
    assert prune() == "Sessions ended: 0. Tombstones deleted: 2.\n"
    assert UserSession.objects.count() == 2
    settings.SESSION_LIMIT_RETENTION = timedelta(days=2)
    assert registry.prune() == (0, 1)


def test_what_was_just_ended_keeps_its_tombstone(ada):
    row(ada, expires=-400 * DAY)
    assert registry.prune() == (1, 0)
    assert UserSession.objects.ended().count() == 1


def test_dry_run(ada):
    row(ada, expires=-DAY)
    row(ada, ended=400 * DAY)
    before = list(UserSession.objects.order_by("pk").values())
    assert prune(dry_run=True) == (
        "Sessions would be ended: 1. Tombstones would be deleted: 1.\n"
    )
    assert list(UserSession.objects.order_by("pk").values()) == before
    assert registry.prune(dry_run=True) == registry.prune() == (1, 1)


def test_quietly(ada):
    row(ada, expires=-DAY)
    assert prune(verbosity=0) == ""
    assert reasons() == [Reason.EXPIRED]


def test_in_batches(ada, monkeypatch):
    monkeypatch.setattr(pruning, "BATCH", 3)
    for _ in range(7):
        row(ada, expires=-DAY)
        row(ada, ended=400 * DAY)
    assert registry.prune() == (7, 7)
    assert UserSession.objects.count() == 7


def test_twice_is_once(ada):
    row(ada, expires=-DAY)
    row(ada, ended=400 * DAY)
    assert registry.prune() == (1, 1)
    assert registry.prune() == (0, 0)


def test_a_pruned_tombstone_brings_nobody_back(ada):
    visitor = Visitor()
    visitor.sign_in()
    stored = Session.objects.get()
    registry.end_all(ada, Reason.REVOKED)
    UserSession.objects.update(ended_at=timezone.now() - 400 * DAY)
    registry.prune()
    stored.save(force_insert=True)
    assert visitor.name is None
