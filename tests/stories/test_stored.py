"""The stored session is deleted, emptied, overwritten, or expires."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db.models.signals import post_delete
from django.utils import timezone

from session_limit.models import UserSession
from tests import stores
from tests.stories import views
from tests.stories.people import (
    NOBODY,
    SIGNED_IN,
    Visitor,
    live,
    long_recorded,
    only_kept,
    reasons,
    set_cookie,
    statements,
    writes,
)

Reason = UserSession.Reason
HOUR = 3600
DAY = 24 * HOUR
TWO_WEEKS = 14 * DAY  # SESSION_COOKIE_AGE
TOUCH = 60  # SESSION_LIMIT_TOUCH_INTERVAL


# Deleted


@stores.KEPT
def test_the_stored_session_is_gone_between_requests(ada, laptop, phone):
    laptop.sign_in()
    stores.empty()
    assert laptop.name is None
    assert laptop.open().status_code == 302
    assert laptop.write().status_code == 200

    assert laptop.sign_in().status_code == 302
    assert laptop.state == SIGNED_IN
    assert len(live(ada)) == 1


@stores.on("db")
def test_signals_of_a_stored_session_that_is_deleted(ada, laptop, phone):
    """Fails if the session is deleted without the ORM although a receiver listens."""
    laptop.sign_in()
    deleted = []

    def hear(sender, instance, **kwargs):
        deleted.append(instance.session_key)

    post_delete.connect(hear, sender=Session)
    try:
        phone.sign_in()
    finally:
        post_delete.disconnect(hear, sender=Session)
    assert deleted == [laptop.cookie]


@stores.TIMED
def test_clearsessions_of_what_has_expired(ada, laptop, time):
    laptop.sign_in()
    time.advance(TWO_WEEKS + 2 * TOUCH)
    call_command("clearsessions")
    assert only_kept()
    assert laptop.name is None
    assert laptop.state == Reason.EXPIRED
    laptop.sign_in()
    assert laptop.state == SIGNED_IN
    assert len(live(ada)) == 1


@stores.KEPT
def test_the_stored_session_goes_during_a_request_that_writes(ada, laptop):
    """Django alone would answer with a bare 400."""
    laptop.sign_in()
    views.meanwhile.append(stores.empty)
    response = laptop.get(laptop.path("interrupted"))
    assert response.status_code == 401
    assert b"Your session has expired." in response.content
    assert live() == []

    laptop.sign_in()
    assert laptop.state == SIGNED_IN


def test_a_session_displaced_during_a_request_that_writes(ada, laptop, phone):
    laptop.sign_in()
    phone_signs_in = Visitor(phone.user_agent)  # sync: within a request of the other
    views.meanwhile.append(phone_signs_in.sign_in)
    response = laptop.get(laptop.path("interrupted"))
    assert response.status_code == 401
    assert b"Your account was signed in on a phone." in response.content
    # The request has no user either, since a project may render the page with its own
    # template.
    request = getattr(response, "wsgi_request", None) or response.asgi_request
    assert not request.user.is_authenticated
    assert laptop.name is None
    assert laptop.state == Reason.DISPLACED
    assert phone_signs_in.state == SIGNED_IN
    assert only_kept(phone_signs_in)


def test_a_session_displaced_during_a_request_that_rotates_its_key(ada, laptop):
    laptop.sign_in()
    other = Visitor()
    views.meanwhile.append(other.sign_in)
    cookie = laptop.cookie
    response = laptop.get(laptop.path("rotated"))
    assert laptop.cookie == cookie
    assert response.status_code == 401
    assert laptop.state == Reason.DISPLACED
    assert other.state == SIGNED_IN
    assert only_kept(other)


@stores.KEPT
def test_an_anonymous_session_that_goes_during_a_request_is_djangos_business(laptop):
    """Nobody is signed in, so that Django's own behaviour stays."""
    laptop.write()
    views.meanwhile.append(stores.empty)
    assert laptop.get(laptop.path("interrupted")).status_code == 400


@stores.KEPT
@pytest.mark.parametrize("at_limit", ["displace", "deny"])
def test_what_is_gone_from_the_store_holds_no_place(
    ada, laptop, phone, settings, at_limit
):
    settings.SESSION_LIMIT_AT_LIMIT = at_limit
    laptop.sign_in()
    stores.empty()
    long_recorded()
    assert phone.sign_in().status_code == 302
    assert phone.state == SIGNED_IN
    assert len(live(ada)) == 1


@stores.KEPT
def test_who_lost_the_stored_session_may_sign_in_again_under_deny(
    ada, laptop, settings
):
    """The sign-in succeeds at once: a browser cannot lock itself out."""
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    stores.empty()
    assert laptop.sign_in().status_code == 302
    assert laptop.state == SIGNED_IN
    assert len(live(ada)) == 1


# Emptied and overwritten by a project's own code


def test_flush_ends_the_session(ada, laptop):
    laptop.sign_in()
    thief = laptop.twin()
    laptop.get(laptop.path("flush"))
    assert laptop.cookie is None
    assert laptop.state == NOBODY
    assert live() == []
    assert thief.state == Reason.SIGNED_OUT


@pytest.mark.parametrize("path", ["/clear/", "/clear-and-write/"])
def test_clear_ends_the_session(ada, laptop, path):
    laptop.sign_in()
    thief = laptop.twin()
    assert laptop.get(path).status_code == 200
    assert laptop.name is None
    assert thief.name is None
    assert live() == []
    assert reasons() == [Reason.SIGNED_OUT]


def test_what_was_written_after_clear_is_kept(ada, laptop):
    laptop.sign_in()
    laptop.get("/clear-and-write/")
    assert laptop.stored["language"] == "fr"
    assert "_auth_user_id" not in laptop.stored


def test_the_id_is_put_back_where_code_loses_it(ada, laptop, phone):
    laptop.sign_in()
    row = laptop.row
    assert laptop.get("/overwrite-id/").status_code == 200
    assert laptop.row == row
    assert laptop.stored["cart"] == "tea"
    assert laptop.state == SIGNED_IN
    phone.sign_in()
    assert laptop.state == Reason.DISPLACED


def test_a_rotation_keeps_the_session(ada, laptop, phone):
    laptop.sign_in()
    row, key = laptop.row, laptop.cookie
    thief = laptop.twin()
    for _ in range(3):
        laptop.get(laptop.path("cycle"))
    assert laptop.row == row
    assert live() == [row]
    if not stores.is_cookie():
        assert laptop.cookie != key
        assert thief.name is None

    phone.sign_in()
    assert laptop.state == Reason.DISPLACED
    assert only_kept(phone)


def test_session_save_every_request(ada, laptop, phone, settings):
    settings.SESSION_SAVE_EVERY_REQUEST = True
    laptop.sign_in()
    assert laptop.state == SIGNED_IN
    assert laptop.get("/public/").status_code == 200
    phone.sign_in()
    for _ in range(3):
        assert laptop.get("/public/").status_code == 200
        assert laptop.name is None
        assert laptop.state == Reason.DISPLACED
    assert phone.state == SIGNED_IN
    assert only_kept(phone)
    assert laptop.open().status_code == 401
    assert laptop.open().status_code == 302


def test_session_save_every_request_without_anybody(laptop, settings):
    settings.SESSION_SAVE_EVERY_REQUEST = True
    response = laptop.get(laptop.path("whoami"))
    assert set_cookie(response) is None
    assert UserSession.objects.count() == 0
    assert only_kept()


# Anonymous


def test_anonymous_traffic_leaves_no_row(laptop):
    with statements() as ran:
        laptop.get("/public/")
        laptop.get(laptop.path("whoami"))
        laptop.open()
    assert ran == []
    laptop.write()
    laptop.write()
    assert stores.without_the_engines(laptop.stored) == {"writes": 2}
    assert UserSession.objects.count() == 0


def test_what_an_anonymous_visitor_had_is_there_after_signing_in(ada, laptop):
    laptop.post("/cart/", {"cart": "tea"})
    laptop.sign_in()
    assert laptop.get("/cart/").json() == {"cart": "tea"}


# Time


@stores.TIMED
def test_an_expired_session_is_ended_and_not_counted(
    ada, laptop, phone, settings, time
):
    settings.SESSION_LIMIT = 2
    laptop.sign_in()
    time.advance(TWO_WEEKS + 2 * TOUCH)
    phone.sign_in()
    assert len(live(ada)) == 1
    assert reasons() == [Reason.EXPIRED]
    assert phone.state == SIGNED_IN


@stores.TIMED
def test_a_closed_browser_under_deny_locks_out_no_longer_than_its_expiry(
    ada, laptop, phone, settings, time
):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    settings.SESSION_COOKIE_AGE = HOUR
    laptop.sign_in()
    laptop.cookie = None
    assert phone.sign_in().status_code == 403
    time.advance(HOUR - 2)
    assert phone.sign_in().status_code == 403
    time.advance(TOUCH + 2)
    assert phone.sign_in().status_code == 302
    assert phone.state == SIGNED_IN


def test_browsers_that_expire_when_closed_have_an_expiry_all_the_same(
    ada, laptop, settings
):
    settings.SESSION_EXPIRE_AT_BROWSER_CLOSE = True
    laptop.sign_in()
    (row,) = live(ada)
    assert about(row.expires_at - row.created_at, seconds=TWO_WEEKS)


def about(measured, **expected):
    return abs(measured - timedelta(**expected)) < timedelta(seconds=5)


def test_set_expiry_after_sign_in_is_recorded(ada, laptop, phone, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    laptop.get(laptop.path("expire"), query_params={"seconds": HOUR})
    (row,) = live(ada)
    assert about(row.expires_at - timezone.now(), seconds=HOUR)
    laptop.get(laptop.path("expire"), query_params={"seconds": 30 * DAY})
    row.refresh_from_db()
    assert about(row.expires_at - timezone.now(), days=30)


def test_remember_me_at_sign_in(ada, laptop, time):
    """The view sets the expiry after ``login()``."""
    laptop.post("/remember-me/", {"name": "ada"})
    (row,) = live(ada)
    assert about(row.expires_at - row.created_at, days=60)
    time.advance(40 * DAY)
    assert laptop.state == SIGNED_IN


@stores.TIMED
def test_activity_extends_a_sliding_expiry(ada, laptop, settings, time):
    settings.SESSION_SAVE_EVERY_REQUEST = True
    settings.SESSION_COOKIE_AGE = HOUR
    laptop.sign_in()
    for _ in range(5):
        time.advance(HOUR / 2)
        assert laptop.state == SIGNED_IN
    time.advance(HOUR + 2 * TOUCH)
    assert laptop.state != SIGNED_IN


def test_activity_is_recorded_once_an_interval(ada, laptop, time):
    laptop.sign_in()
    for wait, expected in ((0, 0), (TOUCH - 5, 0), (6, 1), (1, 0), (TOUCH, 1)):
        time.advance(wait)
        with statements() as ran:
            laptop.open()
        assert len(writes(ran)) == expected, (wait, ran)
        assert len(ran) == stores.STATEMENTS + expected
    (row,) = live(ada)
    assert about(timezone.now() - row.last_active_at)


@pytest.mark.parametrize(("idle", "touch"), [(900, 60), (300, 30)])
def test_an_idle_timeout_is_never_early_and_at_most_one_touch_late(
    ada, laptop, settings, time, idle, touch
):
    settings.SESSION_LIMIT_IDLE_TIMEOUT = idle
    laptop.sign_in()
    for _ in range(5):
        time.advance(idle - 1)
        assert laptop.state == SIGNED_IN
    # Activity counts even if it was not written.
    time.advance(touch - 1)
    assert laptop.state == SIGNED_IN
    time.advance(idle - 1)
    assert laptop.state == SIGNED_IN

    time.advance(idle + touch)
    assert laptop.state == Reason.IDLE
    assert live() == []
    told = f"after {idle // 60} minutes without activity".encode()
    assert told in laptop.open().content


def test_an_absolute_timeout_is_kept_whatever_the_activity(ada, laptop, settings, time):
    settings.SESSION_LIMIT_ABSOLUTE_TIMEOUT = HOUR
    laptop.sign_in()
    for _ in range(3):
        time.advance(HOUR / 3 - 2)
        assert laptop.state == SIGNED_IN
    time.advance(6 + TOUCH)
    assert laptop.state == Reason.ABSOLUTE
    assert b"you need to sign in again every" in laptop.open().content


def test_giving_ones_credentials_again_begins_an_absolute_timeout_anew(
    ada, laptop, settings, time
):
    settings.SESSION_LIMIT_ABSOLUTE_TIMEOUT = HOUR
    laptop.sign_in()
    time.advance(HOUR - 60)
    laptop.sign_in()
    time.advance(HOUR - 60)
    assert laptop.state == SIGNED_IN


def test_what_timed_out_does_not_count(ada, laptop, phone, settings, time):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    settings.SESSION_LIMIT_IDLE_TIMEOUT = 600
    laptop.sign_in()
    time.advance(600 - 1)
    assert phone.sign_in().status_code == 403
    time.advance(1 + TOUCH)
    assert phone.sign_in().status_code == 302
    assert reasons() == [Reason.IDLE]
    assert laptop.state == Reason.IDLE
