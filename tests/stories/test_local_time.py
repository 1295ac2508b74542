"""Without ``USE_TZ``, people see the project's local time, although rows hold UTC."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core import mail
from django.core.management import call_command
from django.template.loader import render_to_string
from django.utils import timezone

from session_limit import registry
from session_limit.models import Play, UserSession
from session_limit.testing import LAPTOP, PHONE, clock
from session_limit.utils.clock import as_utc, utc_now
from tests.stories.people import JSON, Visitor, live
from tests.stories.test_admin import (
    LIST,
    grace,
    hire,
    page_of,
    page_of_user,
    selecting,
)
from tests.zones import AUTUMN, night

# The stories of the admin define these fixtures.
__all__ = ["grace", "hire"]

Reason = UserSession.Reason
HTML = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture
def new_york(settings):
    settings.TIME_ZONE, settings.USE_TZ = "America/New_York", False


@pytest.fixture
def in_autumn(new_york):
    with night(AUTUMN["America/New_York"]) as clocks:
        yield clocks


def sign_in_at(clocks, minutes, user_agent=LAPTOP):
    clocks.at(minutes)
    visitor = Visitor(user_agent)
    visitor.sign_in()
    return visitor


def words(response):
    """Return the text of a page, with single spaces and without the narrow ones."""
    text = re.sub(r"<[^>]*>", " ", response.content.decode())
    return " ".join(text.split())


def test_the_list_shows_local_time_without_use_tz(in_autumn, ada, settings):
    settings.SESSION_LIMIT = 2
    sign_in_at(in_autumn, -10)
    visitor = sign_in_at(in_autumn, 10, PHONE)
    page = visitor.get("/account/sessions/", headers=HTML)
    assert "November 1, 1:50 a.m. EDT" in words(page)
    assert "November 1, 1:10 a.m. EST" in words(page)
    rows = visitor.get("/account/sessions/", headers=JSON).json()["sessions"]
    times = [row["signed_in_at"] for row in rows]
    assert times == ["2026-11-01T06:10:00Z", "2026-11-01T05:50:00Z"]


def test_the_chooser_shows_local_time_without_use_tz(in_autumn, ada, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    sign_in_at(in_autumn, -10)
    in_autumn.at(-5)
    phone = Visitor(PHONE)
    phone.sign_in(headers=HTML)
    page = phone.get("/account/sessions/choose/", headers=HTML)
    assert "until 1:05 a.m. EST" in words(page)


@pytest.mark.parametrize(
    "template",
    [
        "new_sign_in_message.html",
        "mail/new_sign_in.txt",
        "mail/new_sign_in.html",
    ],
)
def test_notices_show_local_time_without_use_tz(new_york, template):
    session = UserSession(created_at=AUTUMN["America/New_York"])
    context = {"session": session, "device": "Firefox", "host": "example.org"}
    text = render_to_string(f"session_limit/{template}", context)
    assert "Nov. 1, 2026, 1 a.m. EST" in text


def test_a_mail_about_a_new_sign_in_is_sent_without_use_tz(new_york, ada, settings):
    """The package compares ``date_joined``, which is naive here."""
    settings.SESSION_LIMIT_NEW_SIGN_IN = "mail"
    ada.email = "ada@example.org"
    if hasattr(ada, "date_joined"):
        ada.date_joined = timezone.now() - timedelta(days=365)
    ada.save()
    Visitor().sign_in()
    assert len(mail.outbox) == hasattr(ada, "date_joined")


def test_reports_count_local_days_without_use_tz(new_york, ada):
    """23:30 in New York is the next day in UTC."""
    late = datetime(2026, 11, 10, 23, 30)  # noqa: DTZ001 as such a project has them
    with night(as_utc(late)):
        Visitor().sign_in()
        out = StringIO()
        call_command("sessionpolicy", what_if="1", days=2, stdout=out)
    assert "2026-11-09 to 2026-11-10 (America/New_York)" in out.getvalue()
    assert "Recorded: 1 sign-ins" in out.getvalue()


def test_a_projects_tests_move_the_clock_across_the_change(new_york):
    with night(AUTUMN["America/New_York"]) as clocks, clock() as time:
        clocks.at(-10)
        time.advance(timedelta(minutes=20))
        assert timezone.is_naive(timezone.now())
        assert utc_now() == clocks.change + timedelta(minutes=10)
        time.advance(timedelta(minutes=60))
        assert utc_now() == clocks.change + timedelta(minutes=70)


# The admin


@pytest.fixture
def shown(in_autumn, grace, ada, settings):
    """Return the text of a page of the admin, on which ada signed in at 1:50 a.m."""
    settings.ROOT_URLCONF = "tests.stories.urls_admin"
    settings.SESSION_LIMIT = None
    sign_in_at(in_autumn, -10)
    in_autumn.at(20)

    def shown(path, data=None):
        return words(grace.get(path) if data is None else grace.post(path, data))

    return shown


def test_the_admin_shows_local_time(shown, ada):
    [row] = live(ada)
    signed_in = "Nov. 1, 2026, 1:50 a.m."
    assert signed_in in shown(LIST)
    assert signed_in in shown(page_of_user(ada))
    assert signed_in in shown(LIST, selecting(row))
    page = shown(page_of(row))
    assert page.count(signed_in) == 3
    assert "Nov. 15, 2026, 12:50 a.m." in page
    registry.end([row.pk], Reason.REVOKED)
    assert "Nov. 1, 2026, 1:20 a.m." in shown(page_of(row))


def test_the_admin_filters_by_local_days(shown, grace, ada):
    """Django's filter puts naive midnights of the project's zone into its links."""
    found = grace.get(f"{LIST}?created_at__gte=2026-11-01 00:00:00&user={ada.pk}")
    assert list(found.context["cl"].result_list) == live(ada)
    later = grace.get(f"{LIST}?created_at__gte=2026-11-01 02:00:00&user={ada.pk}")
    assert not list(later.context["cl"].result_list)


def test_the_timeline_shows_local_time(shown, ada, settings):
    settings.SESSION_LIMIT_PLAYS = 1
    [row] = live(ada)
    play = Play.objects.create(
        user=ada, session=row, started_at=utc_now(), lease_until=utc_now()
    )
    assert play.started_at == AUTUMN["America/New_York"] + timedelta(minutes=20)
    page = shown(f"{LIST}account/{ada.pk}/?days=1")
    assert "Nov. 1, 2026, 1:50 a.m." in page
    assert "Nov. 1, 2026, 1:20 a.m." in page
    assert "November 1" in page
