"""``UTCDateTimeField`` stores and returns UTC, whatever the settings are."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.core import serializers
from django.db import connection
from django.db.models import F, Max, Min
from django.db.models.functions import TruncHour
from django.forms import modelform_factory
from django.utils import timezone as djangos

from session_limit.models import DatabaseNow, UserSession
from session_limit.store import queries
from session_limit.store.liveness import Row
from session_limit.utils.clock import as_utc, local, utc_now
from tests.stories.people import make_user
from tests.zones import AUTUMN, SETTINGS, SPRING, all_settings, shown, zone

__all__ = ["zone"]

pytestmark = pytest.mark.django_db
QUARTER = timedelta(minutes=15)
ids = pytest.mark.parametrize("changes", [SPRING, AUTUMN], ids=["spring", "autumn"])
without_use_tz = pytest.mark.parametrize("zone", [SETTINGS[0]], indirect=True)


def store(user, moment, **fields):
    return UserSession.objects.create(
        user=user, created_at=moment, last_active_at=moment, expires_at=moment, **fields
    )


@pytest.fixture
def ada():
    return make_user("ada")


@pytest.fixture
def moments(zone, changes):
    """Return times from two hours before a change to two hours after it."""
    return [changes[zone] + number * QUARTER for number in range(-8, 9)]


@ids
@all_settings
def test_each_time_is_read_as_it_was_written(ada, moments):
    for moment in moments:
        row = store(ada, moment)
        read = UserSession.objects.get(pk=row.pk)
        assert (read.created_at, read.expires_at) == (moment, moment)
        assert read.created_at.tzinfo is UTC
        assert queries.read(row.pk) == Row.of(read)
        [value] = UserSession.objects.filter(pk=row.pk).values_list("created_at")
        assert value == (moment,)


@ids
@all_settings
def test_times_are_compared_and_ordered_by_what_they_mean(ada, moments):
    for moment in moments:
        store(ada, moment)
    rows = UserSession.objects
    assert list(rows.order_by("created_at").values_list("created_at", flat=True)) == (
        moments
    )
    for number, moment in enumerate(moments):
        for value in (moment, moment.astimezone(ZoneInfo("Asia/Tokyo"))):
            assert rows.filter(created_at__lt=value).count() == number
            assert rows.filter(created_at__lte=value).count() == number + 1
            assert rows.filter(created_at=value).count() == 1
            assert rows.filter(created_at__in=[value]).count() == 1
        assert rows.filter(created_at__range=(moments[0], moment)).count() == number + 1


@ids
@all_settings
def test_a_projects_own_times_are_local(ada, zone, moments):
    """A naive time carries its fold, which says which of two readings is meant."""
    for moment in moments:
        row = store(ada, shown(moment))
        assert UserSession.objects.get(pk=row.pk).created_at == moment
        assert UserSession.objects.filter(created_at__lte=shown(moment)).count() == (
            UserSession.objects.filter(created_at__lte=moment).count()
        )
        UserSession.objects.filter(pk=row.pk).update(created_at=shown(moment))
        assert UserSession.objects.get(pk=row.pk).created_at == moment


@ids
@all_settings
def test_the_database_calculates_with_times(ada, moments):
    for before, after in pairwise(moments):
        row = store(ada, before)
        rows = UserSession.objects.filter(pk=row.pk)
        rows.update(expires_at=F("created_at") + QUARTER)
        row.refresh_from_db()
        assert row.expires_at == after
        gaps = rows.values_list(F("expires_at") - F("created_at"), flat=True)
        assert list(gaps) == [QUARTER]
    ends = UserSession.objects.aggregate(Min("created_at"), Max("created_at"))
    assert [*ends.values()] == [moments[0], moments[-2]]


@all_settings
def test_the_databases_clock_is_in_utc(zone, ada):
    before = utc_now() - timedelta(seconds=5)
    row = store(ada, utc_now())
    rows = UserSession.objects.filter(pk=row.pk)
    assert (
        before
        < rows.values_list(DatabaseNow(), flat=True).get()
        < (utc_now() + timedelta(seconds=5))
    )
    rows.update(created_at=DatabaseNow())
    row.refresh_from_db()
    assert abs(row.created_at - utc_now()) < timedelta(seconds=5)


@ids
@all_settings
@pytest.mark.parametrize("kind", ["json", "python", "xml", "jsonl"])
def test_a_dump_is_loaded_as_it_was(ada, moments, kind):
    expected = {store(ada, moment).pk: moment for moment in moments}
    dump = serializers.serialize(kind, UserSession.objects.all())
    UserSession.objects.all().delete()
    for each in serializers.deserialize(kind, dump):
        each.save()
    assert dict(UserSession.objects.values_list("pk", "created_at")) == expected


@without_use_tz
def test_a_dump_from_before_the_upgrade_is_local_time(zone, ada):
    row = store(ada, utc_now())
    dump = serializers.serialize("json", [row])
    now = row.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert now in dump
    old = dump.replace(now, "2026-07-01T08:00:00")
    [each] = serializers.deserialize("json", old)
    each.save()
    row.refresh_from_db()
    assert row.created_at == datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.skipif(connection.vendor == "postgresql", reason="PostgreSQL stores zones")
@all_settings
def test_the_column_holds_utc(zone, ada):
    row = store(ada, AUTUMN[zone])
    with connection.cursor() as cursor:
        cursor.execute("SELECT created_at FROM session_limit_usersession")
        [(stored,)] = cursor.fetchall()
    assert str(stored) == str(AUTUMN[zone].replace(tzinfo=None))
    assert row.pk


@without_use_tz
def test_a_form_shows_and_reads_local_time(zone, ada):
    form_class = modelform_factory(UserSession, fields=["expires_at"])
    row = store(ada, datetime(2026, 7, 1, 12, tzinfo=UTC))
    form = form_class(instance=row)
    assert 'value="2026-07-01 08:00:00"' in str(form["expires_at"])
    form = form_class({"expires_at": "2026-07-01 08:00:00"}, instance=row)
    assert not form.has_changed()
    form = form_class({"expires_at": "2026-07-01 09:30:00"}, instance=row)
    assert form.save().expires_at == datetime(2026, 7, 1, 13, 30, tzinfo=UTC)
    row.refresh_from_db()
    assert row.expires_at == datetime(2026, 7, 1, 13, 30, tzinfo=UTC)
    assert not form_class({"expires_at": "soon"}).is_valid()
    assert form_class({"expires_at": ""}, instance=row).errors


def test_a_form_uses_the_current_zone_with_use_tz(ada):
    row = store(ada, datetime(2026, 7, 1, 12, tzinfo=UTC))
    form_class = modelform_factory(UserSession, fields=["expires_at"])
    with djangos.override("Europe/London"):
        assert 'value="2026-07-01 13:00:00"' in str(
            form_class(instance=row)["expires_at"]
        )


@pytest.mark.skipif(connection.vendor == "mysql", reason="needs MySQL's zone tables")
def test_truncated_times_are_in_the_current_zone_with_use_tz(ada):
    store(ada, datetime(2026, 7, 1, 12, 40, tzinfo=UTC))
    with djangos.override("Asia/Kolkata"):  # UTC+05:30
        hours = UserSession.objects.values_list(TruncHour("created_at"), flat=True)
        assert list(hours) == [datetime(2026, 7, 1, 12, 30, tzinfo=UTC)]
        by_date = UserSession.objects.filter(created_at__date=date(2026, 7, 1))
        assert by_date.count() == 1


def test_no_time_is_none(ada):
    row = store(ada, utc_now())
    row.refresh_from_db()
    assert row.ended_at is None
    assert queries.read(row.pk).ended_at is None


def test_an_aware_time_of_any_zone_is_the_same_in_utc():
    moment = datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert as_utc(moment) == moment
    assert as_utc(moment).tzinfo is UTC


@pytest.mark.parametrize("use_tz", [True, False])
def test_local_time_is_in_the_zone_that_people_see(settings, use_tz):
    """Without ``USE_TZ``, Django ignores the zone that other code has activated."""
    settings.TIME_ZONE, settings.USE_TZ = "America/New_York", use_tz
    moment = datetime(2026, 7, 1, 12, tzinfo=UTC)
    with djangos.override("Europe/London"):
        assert local(moment).tzname() == ("BST" if use_tz else "EDT")
    assert local(moment).hour == 8
