"""Migration 0007 keeps the meaning of the times that an older version has stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection, router
from django.db.migrations.executor import MigrationExecutor
from django.test.utils import CaptureQueriesContext

from session_limit.models import AccountLimit, PendingSignIn, Play, UserSession
from tests.stories.people import make_user
from tests.zones import AUTUMN, SETTINGS, SPRING, all_settings, shown, zone

__all__ = ["zone"]

BEFORE = [("session_limit", "0006_stores_and_browsers")]
AFTER = [("session_limit", "0007_times_in_utc")]
MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def migrated_again():
    yield
    UserSession.objects.all().delete()
    call_command("migrate", verbosity=0)


def migrate(targets):
    MigrationExecutor(connection).migrate(targets)


def old_model(name):
    loader = MigrationExecutor(connection).loader
    others = [node for node in loader.graph.leaf_nodes() if node[0] != "session_limit"]
    return loader.project_state(BEFORE + others).apps.get_model("session_limit", name)


def stored_before(user, moments):
    """Migrate back, and let Django's own field store one session at each time."""
    migrate(BEFORE)
    model = old_model("UserSession")
    rows = [
        model(
            id=uuid4(),
            user_id=user.pk,
            created_at=shown(moment),
            authenticated_at=shown(moment),
            last_active_at=shown(moment),
            expires_at=shown(moment),
        )
        for moment in moments
    ]
    model.objects.bulk_create(rows)
    return [row.pk for row in rows]


def times(ids, field="created_at"):
    found = dict(UserSession.objects.values_list("pk", field))
    return [found[id] for id in ids]


def moments_around(change):
    """Return times around a change, without those that have two readings."""
    far = [timedelta(days=days) for days in (-300, -1, 1, 40, 3650)]
    # The migration looks for changes in steps of a day, from the first time on.
    far.append(timedelta(days=-400, hours=-7, minutes=-13))
    near = [-181 * MINUTE, -90 * MINUTE, 90 * MINUTE, 181 * MINUTE]
    near += [timedelta(hours=3, microseconds=123456)]
    return [change + by for by in far + near]


@all_settings
@pytest.mark.parametrize("changes", [SPRING, AUTUMN], ids=["spring", "autumn"])
def test_old_times_mean_the_same_after_the_upgrade(zone, changes):
    expected = moments_around(changes[zone])
    if changes is SPRING:
        # The last second before the change, and the first one after it.
        expected += [changes[zone] - timedelta(seconds=1), changes[zone]]
    ids = stored_before(make_user(), expected)
    migrate(AFTER)
    for field in ("created_at", "authenticated_at", "last_active_at", "expires_at"):
        assert times(ids, field) == expected


@all_settings
def test_going_back_restores_what_was_stored(zone):
    expected = moments_around(AUTUMN[zone]) + moments_around(SPRING[zone])
    make = make_user()
    ids = stored_before(make, expected)
    found = old_model("UserSession").objects
    stored = dict(found.values_list("pk", "last_active_at"))
    migrate(AFTER)
    migrate(BEFORE)
    assert dict(found.values_list("pk", "last_active_at")) == stored
    migrate(AFTER)
    assert times(ids) == expected


@all_settings
def test_of_two_readings_the_later_counts(zone):
    """Nobody is signed out early. PostgreSQL reads naive times in the same way."""
    change = AUTUMN[zone]
    user = make_user()
    at = [change - 20 * MINUTE, change + 10 * MINUTE]
    ids = stored_before(user, at)
    migrate(AFTER)
    first, second = times(ids)
    stores_utc = connection.timezone is UTC
    if stores_utc or zone == "UTC":
        assert [first, second] == at
    else:
        repeated = timedelta(minutes=30 if zone == "Australia/Lord_Howe" else 60)
        assert [first, second] == [at[0] + repeated, at[1]]


@pytest.mark.skipif(connection.vendor == "postgresql", reason="PostgreSQL stores zones")
@pytest.mark.parametrize("zone", [SETTINGS[0]], indirect=True)
def test_the_times_of_all_tables_are_converted(zone):
    user = make_user()
    migrate(BEFORE)
    at = SPRING[zone] + 10 * MINUTE
    old = shown(at)
    [session] = stored_before(user, [at])
    old_model("UserSession").objects.update(key_recorded_at=old, ended_at=old)
    old_model("AccountLimit").objects.create(
        user_id=user.pk, locked_at=old, password_changed_at=old
    )
    old_model("PendingSignIn").objects.create(
        user_id=user.pk, created_at=old, expires_at=old
    )
    old_model("Play").objects.create(
        user_id=user.pk, session_id=session, started_at=old, lease_until=old
    )
    migrate(AFTER)
    for model in (UserSession, AccountLimit, PendingSignIn, Play):
        [row] = model.objects.all()
        fields = [
            field.name
            for field in model._meta.fields
            if field.get_internal_type() == "DateTimeField"
        ]
        found = {name: getattr(row, name) for name in fields}
        missing = {"ended_at"} if model is Play else set()
        assert found == {**dict.fromkeys(fields, at), **dict.fromkeys(missing)}
        model.objects.all().delete()


def test_nothing_is_converted_in_a_database_that_stores_utc(settings):
    settings.TIME_ZONE = "America/New_York"
    migrate(BEFORE)
    with CaptureQueriesContext(connection) as context:
        migrate(AFTER)
    ran = [query["sql"] for query in context.captured_queries]
    assert not [sql for sql in ran if "session_limit_" in sql]


@pytest.mark.parametrize("zone", [SETTINGS[0]], indirect=True)
def test_tables_in_another_database_are_left_alone(zone, settings, monkeypatch):
    [id] = stored_before(make_user(), [SPRING[zone]])
    stored = dict(old_model("UserSession").objects.values_list("pk", "created_at"))
    monkeypatch.setattr(router, "allow_migrate_model", lambda *_: False)
    migrate(AFTER)
    monkeypatch.undo()
    settings.USE_TZ, settings.TIME_ZONE = True, "UTC"
    if connection.vendor != "postgresql":
        assert times([id]) == [stored[id].replace(tzinfo=UTC)]


@pytest.mark.parametrize("zone", [SETTINGS[0]], indirect=True)
def test_a_project_may_switch_use_tz_after_the_upgrade(zone, settings):
    expected = [datetime(2026, 7, 1, 12, tzinfo=UTC), AUTUMN[zone] + 61 * MINUTE]
    ids = stored_before(make_user(), expected)
    migrate(AFTER)
    settings.USE_TZ = True
    assert times(ids) == expected
    settings.TIME_ZONE = "Asia/Tokyo"
    assert times(ids) == expected
