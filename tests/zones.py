"""Settings of time zones, and a clock that a test sets to when clocks change."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone

# When clocks go forward and when they go back. On Lord Howe Island, they change by half
# an hour.
SPRING = {
    "America/New_York": datetime(2026, 3, 8, 7, tzinfo=UTC),
    "Europe/London": datetime(2026, 3, 29, 1, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
    "UTC": datetime(2026, 3, 8, 7, tzinfo=UTC),
}
AUTUMN = {
    "America/New_York": datetime(2026, 11, 1, 6, tzinfo=UTC),
    "Europe/London": datetime(2026, 10, 25, 1, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2026, 4, 4, 15, tzinfo=UTC),
    "UTC": datetime(2026, 11, 1, 6, tzinfo=UTC),
}
# (TIME_ZONE, USE_TZ, the TIME_ZONE of the database). Django allows the last one if
# USE_TZ is true and the database stores no time zones.
SETTINGS = [
    ("America/New_York", False, None),
    ("Europe/London", False, None),
    ("Australia/Lord_Howe", False, None),
    ("UTC", False, None),
    ("America/New_York", True, None),
    ("UTC", True, "America/New_York"),
    ("Europe/London", True, "Australia/Lord_Howe"),
]
POSTGRESQL = connection.vendor == "postgresql"


def all_settings(test):
    """Run ``test``, which uses the fixture ``zone``, with each of ``SETTINGS``."""
    usable = [each for each in SETTINGS if each[2] is None or not POSTGRESQL]
    names = [f"{zone}-{use_tz}-{database}" for zone, use_tz, database in usable]
    return pytest.mark.parametrize("zone", usable, indirect=True, ids=names)(test)


def forget_zone():
    """Drop what a connection remembers of the settings."""
    for name in ("timezone", "timezone_name"):
        connection.__dict__.pop(name, None)


@pytest.fixture
def zone(request, settings, monkeypatch):
    """Apply one of ``SETTINGS``, and return the name of the zone that counts."""
    name, use_tz, database = request.param
    settings.TIME_ZONE, settings.USE_TZ = name, use_tz
    monkeypatch.setitem(connection.settings_dict, "TIME_ZONE", database)
    forget_zone()
    yield database or name
    monkeypatch.undo()
    forget_zone()


class Night:
    """A clock that shows the time some minutes before or after clocks change."""

    def __init__(self, change):
        self.change = self.time = change

    def at(self, minutes):
        self.time = self.change + timedelta(minutes=minutes)
        return self.time

    def now(self):
        """Return the time as ``django.utils.timezone.now()`` would."""
        return shown(self.time)


def shown(moment):
    """Return the UTC time ``moment`` as a project's own code would have it."""
    from django.conf import settings

    if settings.USE_TZ:
        return moment
    # Like datetime.now(), this sets the fold.
    zone = ZoneInfo(settings.TIME_ZONE)
    return moment.astimezone(zone).replace(tzinfo=None)


@contextmanager
def night(change):
    """Set the clock to the time at which clocks change."""
    set_clock = Night(change)
    with mock.patch.object(timezone, "now", set_clock.now):
        yield set_clock
