"""Nights in which clocks change end no session early, and none late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.sessions.backends.base import SessionBase

from session_limit import registry
from session_limit.asgi import bulk_reads
from session_limit.conf import conf
from session_limit.models import DatabaseNow, PendingSignIn, Play, UserSession
from session_limit.pages.chooser import COOKIE
from session_limit.store import engines, play_queries, queries
from session_limit.testing import LAPTOP, PHONE
from session_limit.utils.clock import utc_now
from tests import stores
from tests.stories.people import (
    JSON,
    SIGNED_IN,
    TABLET,
    Visitor,
    live,
    mark_as_installed_later,
    reasons,
)
from tests.zones import AUTUMN, SETTINGS, SPRING, all_settings, night, shown, zone

__all__ = ["zone"]

Reason = UserSession.Reason
HALF_AN_HOUR = 30 * 60
HTML = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture(params=[SPRING, AUTUMN], ids=["spring", "autumn"])
def clocks(request, zone):
    with night(request.param[zone]) as clocks:
        yield clocks


@all_settings
def test_idle_minutes_are_counted_across_the_change(clocks, ada, settings):
    settings.SESSION_LIMIT_IDLE_TIMEOUT = HALF_AN_HOUR
    visitor = Visitor()
    clocks.at(-10)
    visitor.sign_in()
    clocks.at(15)
    assert visitor.state == SIGNED_IN
    clocks.at(44)
    assert visitor.state == SIGNED_IN
    clocks.at(44 + 34)
    assert visitor.state == Reason.IDLE


@all_settings
def test_a_session_is_idle_for_too_long_across_the_change(clocks, ada, settings):
    settings.SESSION_LIMIT_IDLE_TIMEOUT = HALF_AN_HOUR
    visitor = Visitor()
    clocks.at(-10)
    visitor.sign_in()
    clocks.at(24)
    assert visitor.state == Reason.IDLE


@all_settings
def test_an_absolute_timeout_lasts_as_long_as_ever(clocks, ada, settings):
    settings.SESSION_LIMIT_ABSOLUTE_TIMEOUT = HALF_AN_HOUR
    visitor = Visitor()
    clocks.at(-10)
    visitor.sign_in()
    clocks.at(19)
    assert visitor.state == SIGNED_IN
    clocks.at(21)
    assert visitor.state == Reason.ABSOLUTE


@all_settings
@pytest.mark.parametrize("displace", ["oldest", "least_recent"])
def test_the_session_from_before_the_change_is_displaced(
    clocks, ada, settings, displace
):
    settings.SESSION_LIMIT, settings.SESSION_LIMIT_DISPLACE = 2, displace
    first, second, third = Visitor(LAPTOP), Visitor(PHONE), Visitor(TABLET)
    clocks.at(-10)
    first.sign_in()
    clocks.at(10)
    second.sign_in()
    clocks.at(12)
    third.sign_in()
    states = [visitor.state for visitor in (first, second, third)]
    assert states == [Reason.DISPLACED, SIGNED_IN, SIGNED_IN]
    assert live() == [second.row, third.row]


@all_settings
def test_a_pending_sign_in_waits_for_ten_minutes(clocks, ada, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    laptop, phone = Visitor(LAPTOP), Visitor(PHONE)
    clocks.at(-6)
    laptop.sign_in()
    clocks.at(-5)
    answer = phone.sign_in(headers=JSON)
    assert answer.status_code == 409
    expires_at = datetime.fromisoformat(answer.json()["expires_at"])
    assert expires_at == clocks.change + timedelta(minutes=5)
    assert phone.client.cookies[COOKIE]["max-age"] == 600
    clocks.at(4)
    choice = {"choice": answer.json()["choice"], "end": "all"}
    phone.twin().post("/account/sessions/choose/", choice, headers=HTML)
    assert reasons() == [Reason.DISPLACED]


@all_settings
def test_a_pending_sign_in_does_not_wait_for_longer(clocks, ada, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    laptop, phone = Visitor(LAPTOP), Visitor(PHONE)
    clocks.at(-6)
    laptop.sign_in()
    clocks.at(-5)
    phone.sign_in(headers=HTML)
    clocks.at(6)
    answer = phone.get("/account/sessions/choose/", headers=JSON)
    assert answer.status_code == 410
    registry.prune()
    assert not PendingSignIn.objects.exists()


@all_settings
def test_rows_are_kept_for_the_retention_period(clocks, ada, settings):
    settings.SESSION_LIMIT_RETENTION = HALF_AN_HOUR
    visitor = Visitor()
    clocks.at(-10)
    visitor.sign_in()
    registry.end_all(ada, Reason.REVOKED)
    clocks.at(19)
    assert list(UserSession.objects.recently_ended())
    assert registry.prune() == (0, 0)
    clocks.at(21)
    assert not list(UserSession.objects.recently_ended())
    assert registry.prune() == (0, 1)


@all_settings
def test_expired_sessions_are_ended_when_they_are_due(clocks, ada, settings):
    settings.SESSION_LIMIT_IDLE_TIMEOUT = HALF_AN_HOUR
    clocks.at(-10)
    Visitor().sign_in()
    clocks.at(19)
    assert list(queries.live_of(ada.pk)) == live()
    assert registry.prune() == (0, 0)
    clocks.at(24)
    assert not list(queries.live_of(ada.pk))
    assert registry.prune() == (1, 0)


@all_settings
def test_the_sweep_reads_what_has_ended_and_expired(clocks, ada, settings):
    settings.SESSION_LIMIT, settings.SESSION_LIMIT_IDLE_TIMEOUT = 2, HALF_AN_HOUR
    clocks.at(-10)
    laptop, phone = Visitor(LAPTOP), Visitor(PHONE)
    laptop.sign_in()
    phone.sign_in()
    first, second = live()
    ids = [first.pk, second.pk]
    clocks.at(-1)
    registry.end([first.pk], Reason.REVOKED)
    clocks.at(1)
    ended = bulk_reads.read_ended_since(utc_now() - timedelta(minutes=3))
    assert ended == [first.pk]
    assert not bulk_reads.read_ended_since(utc_now() - timedelta(minutes=1))
    clocks.at(19)
    assert bulk_reads.read_unexpired(ids) == {second.pk: ada.pk}
    clocks.at(21)
    assert bulk_reads.read_unexpired(ids) == {}


@all_settings
def test_a_session_from_before_the_installation_goes_on(zone, ada):
    """With ``signed_cookies``, the time of its cookie is compared with ended rows."""
    visitor, other = Visitor(LAPTOP), Visitor(PHONE)
    visitor.sign_in()
    mark_as_installed_later(visitor)
    assert visitor.state == SIGNED_IN
    other.sign_in()
    assert visitor.state == Reason.DISPLACED
    assert other.get("/account/sessions/").status_code == 200


@all_settings
def test_a_row_holds_aware_times_in_utc(zone, ada):
    before = utc_now()
    visitor = Visitor()
    visitor.sign_in()
    assert visitor.state == SIGNED_IN
    row = UserSession.objects.get()
    read = queries.read(row.pk)
    for moment in (row.created_at, row.key_recorded_at, read.last_active_at):
        assert moment.tzinfo is UTC
        assert before <= moment <= utc_now()
    assert read.expires_at == row.expires_at
    assert UserSession(user=ada).created_at.tzinfo is UTC


@all_settings
def test_a_session_expires_when_its_project_says(clocks, ada, rf):
    """A project may name a moment of its own time zone, aware or naive."""
    clocks.at(-10)
    session = engines.engine()()
    due = clocks.change + timedelta(minutes=90)
    for expiry in (shown(due), due):
        session["_session_expiry"] = expiry.isoformat()
        assert engines.expiry_of(session, utc_now()) == due
    session.set_expiry(600)
    assert engines.expiry_of(session, utc_now()) == clocks.change


@stores.on("db")
@pytest.mark.parametrize("zone", [SETTINGS[0], SETTINGS[4]], indirect=True)
def test_a_stored_session_expires_as_django_says(zone, ada, settings):
    """Django's own column is in the zone in which Django stores times."""
    settings.SESSION_COOKIE_AGE = HALF_AN_HOUR
    visitor = Visitor()
    with night(datetime(2026, 7, 1, 12, tzinfo=UTC)) as clocks:
        visitor.sign_in()
        clocks.at(29)
        assert visitor.state == SIGNED_IN
        clocks.at(31)
        assert visitor.state == Reason.EXPIRED


def test_a_time_with_two_readings_ends_no_session_early(settings):
    settings.TIME_ZONE, settings.USE_TZ = "America/New_York", False
    session = SessionBase()
    session["_session_expiry"] = "2026-11-01T01:30:00"
    now = datetime(2026, 11, 1, 5, tzinfo=UTC)
    later = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
    assert engines.expiry_of(session, now) == later
    # 02:30 did not exist on this day: half an hour after 02:00, which became 03:00.
    session["_session_expiry"] = "2026-03-08T02:30:00"
    assert engines.expiry_of(session, now) == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)


# Plays, whose times are by the database's clock


@all_settings
def test_plays_are_renewed_and_lapse(zone, ada, settings):
    settings.SESSION_LIMIT, settings.SESSION_LIMIT_PLAYS = None, 1
    Visitor(LAPTOP).sign_in()
    Visitor(PHONE).sign_in()
    laptop, phone = live()
    first = registry.play(laptop, "film").play
    now = datetime.now(UTC)
    assert abs(first.started_at - now) < timedelta(seconds=10)
    assert first.started_at.tzinfo is UTC
    # The database's clock was read once for each.
    lease = first.lease_until - first.started_at
    assert abs(lease - conf.play_lease) < timedelta(seconds=1)
    assert registry.renew_play(first.pk, laptop.pk)
    assert play_queries.is_playing(first.pk, laptop.pk)
    assert play_queries.is_playing_anything(ada.pk, laptop.pk)
    second = registry.play(phone, "film").play
    first.refresh_from_db()
    assert first.ended_reason == Play.Reason.DISPLACED
    assert abs(first.ended_at - now) < timedelta(seconds=10)
    assert bulk_reads.read_plays_ended_since(now - timedelta(seconds=10)) == [
        (first.pk, laptop.pk)
    ]
    assert not bulk_reads.read_plays_ended_since(now + timedelta(minutes=1))
    Play.objects.filter(pk=second.pk).update(
        lease_until=DatabaseNow() - timedelta(seconds=1)
    )
    assert not registry.renew_play(second.pk, phone.pk)
    assert not play_queries.is_playing(second.pk, phone.pk)


@stores.on("db")
@pytest.mark.parametrize("zone", [SETTINGS[0]], indirect=True)
def test_switching_use_tz_on_changes_no_time(zone, ada, settings):
    settings.SESSION_LIMIT, settings.SESSION_LIMIT_IDLE_TIMEOUT = 2, HALF_AN_HOUR
    first, second = Visitor(LAPTOP), Visitor(PHONE)
    with night(AUTUMN[zone]) as clocks:
        clocks.at(-10)
        first.sign_in()
        clocks.at(10)
        second.sign_in()
        settings.USE_TZ = True
        before, after = live()
        assert before.created_at == clocks.at(-10)
        assert after.created_at == clocks.at(10)
        clocks.at(24)
        assert (first.state, second.state) == (Reason.IDLE, SIGNED_IN)
