"""
The tables were dropped with ``migrate session_limit zero`` and created again.

Stored sessions then name rows that the new tables never had. Such a session is adopted
like one from before the installation. A row that was pruned is another matter: its
session has ended.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import override_settings
from django.utils import timezone

from session_limit import registry
from session_limit.models import EndReason, UserSession, made_at, uuid7
from session_limit.registry import installations
from session_limit.store.identification import identify
from tests import stores
from tests.stories.people import SIGNED_IN, live, reasons, statements

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIRST = {"app": "session_limit", "name": "0001_initial"}


@pytest.fixture(autouse=True)
def installed():
    """Return a function that dates the installation, relative to now."""
    recorder = MigrationRecorder(connection)
    # The suite may have created its tables without migrations.
    recorder.ensure_schema()
    first, is_new = recorder.migration_qs.get_or_create(**FIRST)

    def installed(ago):
        recorder.migration_qs.filter(**FIRST).update(applied=timezone.now() - ago)
        installations._installed_at.cache_clear()

    installed(-HOUR)
    yield installed
    first.delete() if is_new else first.save()
    installations._installed_at.cache_clear()


def drop_rows():
    """Empty the table, as it is after it was created again."""
    UserSession.objects.all().delete()


def made_earlier(visitor, ago):
    """Replace the id in a browser's data by one that is older."""
    milliseconds = int((timezone.now() - ago).timestamp() * 1000)
    id = UUID(int=(milliseconds << 80) | (uuid7().int & ((1 << 80) - 1)))
    assert abs(made_at(id) - (timezone.now() - ago)) < timedelta(seconds=10)
    visitor.stored = {**visitor.stored, "_session_limit_id": id.hex}


def test_whoever_is_signed_in_stays_signed_in(ada, laptop, phone, settings):
    settings.SESSION_LIMIT = 2
    laptop.sign_in()
    phone.sign_in()
    drop_rows()
    assert laptop.state == phone.state == SIGNED_IN
    assert len(live(ada)) == 2
    assert all(row.adopted for row in live(ada))
    assert laptop.state == SIGNED_IN
    assert len(live(ada)) == 2


def test_the_limit_holds_for_them(ada, laptop, phone, settings):
    settings.SESSION_LIMIT = 2
    laptop.sign_in()
    phone.sign_in()
    drop_rows()
    settings.SESSION_LIMIT = 1
    assert sorted([laptop.state, phone.state]) == ["displaced", SIGNED_IN]


def test_an_ending_is_final_in_the_new_tables(ada, laptop):
    laptop.sign_in()
    drop_rows()
    before = laptop.twin()
    data = before.stored
    assert laptop.state == SIGNED_IN
    registry.end_all(ada, EndReason.REVOKED)
    before.stored = data
    assert before.state != SIGNED_IN
    assert live(ada) == []


@pytest.mark.parametrize("ago", [timedelta(seconds=1), HOUR, 40 * DAY])
def test_a_row_that_was_pruned_is_never_revived(ada, laptop, installed, ago):
    """The installation is older than the session."""
    installed(ago + timedelta(minutes=5))
    laptop.sign_in()
    made_earlier(laptop, ago)
    drop_rows()
    assert laptop.state != SIGNED_IN
    assert live(ada) == []


def test_a_server_with_a_slow_clock_recorded_what_was_pruned(ada, laptop, installed):
    """Its id looks older than the installation."""
    installed(60 * DAY)
    laptop.sign_in()
    made_earlier(laptop, 60 * DAY + timedelta(minutes=1))
    drop_rows()
    assert laptop.state != SIGNED_IN
    assert live(ada) == []
    laptop.sign_in()
    made_earlier(laptop, 62 * DAY)
    drop_rows()
    assert laptop.state == SIGNED_IN


def test_a_server_with_a_slow_clock_while_rows_are_kept_for_a_short_time(
    ada, laptop, installed, settings
):
    settings.SESSION_LIMIT_RETENTION = 3600
    installed(2 * HOUR)
    laptop.sign_in()
    made_earlier(laptop, 3 * HOUR)
    drop_rows()
    assert laptop.state != SIGNED_IN


def test_a_server_with_a_slow_clock_and_an_account_with_surplus_rows(
    ada, laptop, installed, monkeypatch
):
    monkeypatch.setattr(installations, "MAX_KEPT", 2)
    now = timezone.now()
    laptop.sign_in()
    drop_rows()
    UserSession.objects.bulk_create(
        UserSession(user=ada, expires_at=now, ended_at=now, ended_reason="expired")
        for _ in range(2)
    )
    assert laptop.state != SIGNED_IN
    assert reasons() == ["expired"] * 2


def test_tables_that_no_migration_has_created(ada, laptop):
    """Without a record, nothing tells a pruned row from a dropped table."""
    recorded = MigrationRecorder(connection).migration_qs.filter(**FIRST)
    (migration,) = recorded
    recorded.delete()
    installations._installed_at.cache_clear()
    try:
        laptop.sign_in()
        made_earlier(laptop, 400 * DAY)
        drop_rows()
        assert laptop.state != SIGNED_IN
    finally:
        migration.save(force_insert=True)


@pytest.mark.parametrize("id", [UUID(int=4 << 76 | 2 << 62).hex, "x", "f" * 32, ""])
def test_an_id_that_tells_no_time(ada, laptop, id):
    laptop.sign_in()
    laptop.stored = {**laptop.stored, "_session_limit_id": id}
    drop_rows()
    assert laptop.state != SIGNED_IN


def test_a_project_without_time_zones():
    """Django then records the local time of the project."""
    recorded = MigrationRecorder(connection).migration_qs.filter(**FIRST)
    with override_settings(USE_TZ=False, TIME_ZONE="Asia/Tokyo"):
        recorded.update(applied=datetime(2026, 7, 1, 9))  # noqa: DTZ001 as Django does
        installations._installed_at.cache_clear()
        found = installations._installed_at("default", None)
    assert found == datetime(2026, 7, 1, tzinfo=UTC)


def test_the_record_is_read_once(ada, laptop):
    laptop.sign_in()
    drop_rows()
    with statements() as ran:
        assert laptop.state == SIGNED_IN
        drop_rows()
        laptop.open()
    reads = [sql for sql in ran if "django_migrations" in sql and "applied" in sql]
    assert len(reads) == 1


@stores.KEPT
def test_a_connection_that_no_middleware_serves(ada, laptop, rf):
    laptop.sign_in()
    drop_rows()
    request = rf.get("/")
    request.COOKIES["sessionid"] = laptop.cookie
    who = identify(request)
    assert who.reason is None
    assert who.id == live(ada)[0].pk


def test_verify_waits_for_the_next_request(ada, laptop):
    """No request tells it the browser, so it can adopt nothing."""
    laptop.sign_in()
    drop_rows()
    assert registry.verify(stores.engine()(laptop.cookie)) is None
    assert laptop.state == SIGNED_IN
    assert registry.verify(stores.engine()(laptop.cookie)) == live(ada)[0]


def test_a_browser_whose_ending_the_earlier_installation_explained(ada, laptop, phone):
    """Its anonymous session names an ended row that no longer exists."""
    laptop.sign_in()
    phone.sign_in()
    assert laptop.state == "displaced"
    laptop.write()
    drop_rows()
    assert laptop.state != SIGNED_IN
    laptop.sign_in()
    assert laptop.state == SIGNED_IN
