"""An administrator looks at an account's sessions and plays over time."""

from __future__ import annotations

import logging
import re
import uuid
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from session_limit import registry
from session_limit.admin import timeline_page
from session_limit.admin.timeline_layout import (
    BEYOND,
    MAX_ROWS,
    SHORTEST,
    Window,
    displacements,
    ticks,
)
from session_limit.admin.timeline_layout import lay_out as draw
from session_limit.models import Play, UserSession
from tests.stories.people import events, live, make_user, statements
from tests.stories.test_admin import (
    LIST,
    ada,
    grace,
    hire,
    on_users,
    page_of,
    page_of_user,
    project,
    signed_in,
    victor,
)

# The stories of the admin define these fixtures.
__all__ = ["ada", "grace", "hire", "project", "signed_in", "victor"]

Reason = UserSession.Reason
NOW = datetime(2026, 11, 27, 18, tzinfo=UTC)
WINDOW = Window(NOW - timedelta(hours=100), NOW)


def ago(hours):
    return NOW - timedelta(hours=hours)


def session(start, end=None, *, due=-100, **more):
    """Return an unsaved session that began ``start`` hours ago."""
    return UserSession(
        created_at=ago(start),
        ended_at=None if end is None else ago(end),
        expires_at=ago(due),
        **more,
    )


def play(of, start, end=None, *, lease=-1, **more):
    return Play(
        session=of,
        started_at=ago(start),
        ended_at=None if end is None else ago(end),
        lease_until=ago(lease),
        **more,
    )


def displaced(by, field):
    return {"ended_reason": Reason.DISPLACED, field: by.pk}


# The drawing, without a database


@pytest.mark.parametrize(
    ("row", "x", "width", "is_live"),
    [
        (session(50, 25), 50, 25, False),
        (session(40), 60, 40 + BEYOND, True),
        (session(40, due=10), 60, 30, False),
        (session(40, 30, due=35), 60, 10, False),
        (session(200, 25), -BEYOND, 75 + BEYOND, False),
        (session(200), -BEYOND, 100 + 2 * BEYOND, True),
        (session(50, 50), 50, SHORTEST, False),
        (session(0, 0), 100 - SHORTEST, SHORTEST, False),
        # The clock of the server that recorded it was ahead.
        (session(-1, -2), 100 - SHORTEST, SHORTEST, False),
    ],
)
def test_a_session(row, x, width, is_live):
    [lane] = draw([row], [], WINDOW)
    bar = lane.session
    assert (bar.x, bar.width) == pytest.approx((x, width))
    assert bar.is_live is is_live
    assert bar.end_x <= 100


LIVE, ENDED, DUE = session(90), session(90, 30), session(90, due=20)


@pytest.mark.parametrize(
    ("row", "end", "is_live"),
    [
        (play(LIVE, 60, 50), 50, False),
        (play(LIVE, 60), 0, True),
        (play(LIVE, 60, lease=40), 40, False),
        (play(ENDED, 60), 30, False),
        (play(ENDED, 60, lease=40), 40, False),
        (play(DUE, 60), 20, False),
    ],
)
def test_a_play(row, end, is_live):
    [lane] = draw([row.session], [row], WINDOW)
    [bar] = lane.plays
    assert bar.end == ago(end)
    assert bar.is_live is is_live
    assert lane.session.y < bar.y < lane.bottom


def test_plays_at_once_are_below_each_other():
    others = [play(LIVE, 50, 10) for _ in range(MAX_ROWS)]
    rows = [play(LIVE, 80, 60), play(LIVE, 70, 55), play(LIVE, 60, 52), *others]
    [lane] = draw([LIVE], rows, WINDOW)
    first, second, third, *rest = lane.plays
    assert first.y == third.y < second.y
    assert lane.rows == MAX_ROWS
    assert len({bar.y for bar in rest}) == MAX_ROWS
    [lane, below] = draw([LIVE, ENDED], [*rows, *others], WINDOW)
    assert lane.rows == MAX_ROWS
    assert max(bar.y for bar in lane.plays) < lane.bottom == below.top < below.session.y


def test_displacements():
    newer = session(40)
    older = session(90, 40, **displaced(newer, "ended_by_session"))
    unknown = session(95, 45, ended_reason=Reason.DISPLACED, ended_by_session=None)
    revoked = session(95, 45, ended_reason=Reason.REVOKED, ended_by_session=newer.pk)
    newest = play(newer, 30)
    first = play(older, 60, 30, **displaced(newest, "ended_by_play"))
    drawn = draw([newer, older, unknown, revoked], [newest, first], WINDOW)
    by_session, by_play = displacements(drawn)
    above, below, *_rest = drawn
    assert by_session.x1 == by_session.x2 == 60
    assert by_session.y1 == below.session.middle
    assert by_session.y2 == above.session.y + above.session.height
    assert by_play.x1 == by_play.x2 == 70
    assert by_play.y2 < by_session.y1 < by_play.y1
    marked = [bar.row for lane in drawn for bar in lane.bars if bar.is_displaced]
    assert marked == [older, first, unknown]

    # If clocks differ, the displacing session may be drawn below, and begin later.
    [line] = displacements(draw([older, newer], [], WINDOW))
    assert line.y2 > line.y1
    older.ended_at = ago(42)
    [line] = displacements(draw([newer, older], [], WINDOW))
    assert (line.x1, line.x2) == (58, 60)


@pytest.mark.parametrize(
    ("days", "count", "step"), [(1, 8, 3), (7, 7, 24), (30, 6, 120)]
)
def test_ticks(days, count, step):
    window = Window(NOW - timedelta(days=days), NOW + timedelta(minutes=1))
    found = [*ticks(window, days)]
    assert len(found) == count
    moments = [tick.moment for tick in found]
    gaps = {later - sooner for sooner, later in pairwise(moments)}
    assert gaps == {timedelta(hours=step)}
    assert any(moment.hour == 0 for moment in moments)
    assert found[-1].anchor == ("end" if days != 7 else "middle")


def test_ticks_are_by_the_clock_even_when_it_is_put_back():
    zone = ZoneInfo("Europe/Berlin")
    until = datetime(2026, 10, 28, 12, tzinfo=zone)
    window = Window(until - timedelta(days=7), until)
    found = [*ticks(window, 7)]
    assert {tick.moment.hour for tick in found} == {0}
    widths = {round(later.x - sooner.x, 2) for sooner, later in pairwise(found)}
    # One day has 25 hours.
    assert len(widths) == 2


# The page


def account(user, query=""):
    return f"{LIST}account/{user.pk}/{query}"


def text_of(visitor, user, query=""):
    response = visitor.get(account(user, query))
    assert response.status_code == 200
    return response.content.decode()


def store(user, *, hours=1, **more):
    now = timezone.now()
    more = {"device": "Edge on Windows", "expires_at": now + timedelta(days=90)} | more
    created = now - timedelta(hours=hours)
    return UserSession.objects.create(user=user, created_at=created, **more)


def store_play(session, **more):
    now = timezone.now()
    more = {"started_at": now - timedelta(hours=1)} | more
    more = {"lease_until": now + timedelta(seconds=30)} | more
    return Play.objects.create(session=session, user=session.user, **more)


@pytest.fixture
def plays(settings):
    settings.SESSION_LIMIT_PLAYS = 1
    yield
    Play.objects.all().delete()


def test_the_page(grace, ada, signed_in):
    laptop, phone = (visitor.row for visitor in signed_in)
    registry.end([laptop.pk], Reason.DISPLACED)
    UserSession.objects.filter(pk=laptop.pk).update(ended_by_session=phone.pk)
    text = text_of(grace, ada)
    assert text.count("<bdi>Firefox on Windows</bdi>") == 2
    assert "Displaced by a newer sign-in" in text
    assert f'href="#{phone.pk}"' in text
    assert f'id="{phone.pk}"' in text
    for row in (laptop, phone):
        assert page_of(row) in text
    assert text.count('<line class="session-limit-displaced"') == 1
    assert "style=" not in text
    assert "203.0." not in text
    assert "beef" not in text
    assert str(ada) in text
    assert "Play" not in text


def test_what_is_played(grace, ada, signed_in, plays):
    laptop, phone = (visitor.row for visitor in signed_in)
    newer = store_play(phone, what="film")
    store_play(
        laptop,
        ended_at=newer.started_at,
        ended_reason=Play.Reason.DISPLACED,
        ended_by_play=newer.pk,
    )
    store_play(laptop, lease_until=timezone.now() - timedelta(minutes=9), what="song")
    text = text_of(grace, ada)
    assert "<bdi>film</bdi>" in text
    assert "<bdi>Play</bdi>" in text
    assert "Displaced by a newer play" in text
    assert f'href="#{newer.pk}"' in text
    assert "Not heard of any more" in text
    registry.end([phone.pk], Reason.REVOKED)
    Play.objects.filter(pk=newer.pk).update(ended_at=None, ended_reason="")
    assert "Its session ended" in text_of(grace, ada)


def test_the_time_is_up_of_one_that_nobody_has_ended(grace, ada):
    past = timezone.now() - timedelta(minutes=5)
    store(ada, expires_at=past, expires_reason=Reason.IDLE)
    text = text_of(grace, ada)
    assert "Idle for too long" in text
    assert "Live</small>" not in text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", {"day", "week"}),
        ("?days=1", {"day"}),
        ("?days=7", {"day", "week"}),
        ("?days=30", {"day", "week", "month"}),
        ("?days=31", {"day", "week"}),
        ("?days=%00", {"day", "week"}),
        ("?days=-1e9", {"day", "week"}),
        ("?days=1&days=x", {"day", "week"}),
    ],
)
def test_periods(grace, ada, plays, query, shown):
    now = timezone.now()
    for name, days in (("day", 0.5), ("week", 3), ("month", 20), ("year", 300)):
        over = now - timedelta(days=days)
        store(ada, hours=9000, device=f"{name} ended", ended_at=over)
        store(ada, hours=9000, device=f"{name} due", expires_at=over)
    text = text_of(grace, ada, query)
    assert {*re.findall(r"<bdi>(\w+) ended", text)} == shown
    assert {*re.findall(r"<bdi>(\w+) due", text)} == shown
    [current] = re.findall(r'"\?days=(\d+)" aria-current="page"', text)
    assert current == {1: "1", 2: "7", 3: "30"}[len(shown)]


def test_nothing_to_be_seen(grace, ada):
    assert "No sessions in this period." in text_of(grace, ada)


def test_the_newest_of_many(grace, ada, plays, monkeypatch):
    monkeypatch.setattr(timeline_page, "SESSIONS", 2)
    monkeypatch.setattr(timeline_page, "PLAYS", 3)
    # Ids made in the same millisecond have no order.
    first = store(ada, device="first", id=uuid.UUID(int=1))
    rows = [store(ada), store(ada)]
    for number in range(4):
        store_play(rows[0], what=f"film {number}", id=uuid.UUID(int=number))
    text = text_of(grace, ada)
    assert "Only the newest 2 sessions are shown." in text
    assert "Only the newest 3 plays are shown." in text
    assert "<bdi>first</bdi>" not in text
    assert "film 0" not in text
    assert "film 3" in text
    registry.end([first.pk], Reason.REVOKED)
    UserSession.objects.filter(pk=first.pk).delete()
    assert "sessions are shown" not in text_of(grace, ada)


def test_nobody_elses(grace, ada, plays):
    other = store(make_user("bob"), device="Bob's")
    store_play(other, what="Bob's film")
    store(ada)
    assert "Bob" not in text_of(grace, ada)


def test_it_costs_the_same_for_one_and_for_many(grace, ada, plays):
    store(ada)
    text_of(grace, ada)
    with statements() as few:
        text_of(grace, ada)
    for _ in range(30):
        row = store(ada)
        for _ in range(3):
            store_play(row)
    with statements() as many:
        text_of(grace, ada)
    assert len(many) == len(few)
    about = [sql for sql in many if "session_limit_play" in sql]
    assert len(about) == 1


def test_who_does_not_use_plays_is_not_asked_for_any(grace, ada):
    store(ada)
    with statements() as ran:
        text_of(grace, ada)
    assert not [sql for sql in ran if "session_limit_play" in sql]


def test_looking_at_it_is_logged(grace, ada, signed_in, caplog):
    caplog.set_level(logging.INFO, logger="session_limit")
    text_of(grace, ada)
    by = grace.user.pk if isinstance(grace.user.pk, int) else str(grace.user.pk)
    assert events(caplog) == [{"event": f"sessions_viewed:{ada.pk}", "by": by}]


def test_it_is_linked_to(grace, ada, signed_in):
    link = f'href="{account(ada)}"'
    assert link in grace.get(page_of_user(ada)).content.decode()
    assert link in grace.get(page_of(live(ada)[0])).content.decode()


# Permissions


def test_only_who_may_look_at_sessions(hire, victor, ada, signed_in):
    laptop, _phone = signed_in
    assert "Firefox on Windows" in text_of(victor, ada)
    for visitor in (hire("eve", "session_limit.end_usersession", *on_users()), laptop):
        assert visitor.get(account(ada)).status_code in {302, 403}
        assert b"Firefox" not in visitor.get(account(ada)).content


def test_a_session_is_linked_to_for_who_may_see_it(grace, ada, signed_in, monkeypatch):
    laptop, phone = (visitor.row for visitor in signed_in)
    monkeypatch.setattr(
        "session_limit.admin.UserSessionAdmin.has_view_permission",
        lambda self, request, obj=None: obj != laptop,
    )
    text = text_of(grace, ada)
    assert page_of(phone) in text
    assert page_of(laptop) not in text
    assert "<bdi>Firefox on Windows</bdi>" in text


@pytest.mark.parametrize(
    "id",
    [
        "0",
        "-1",
        "9" * 400,
        uuid.uuid4(),
        "nobody",
        "%00",
        "_00",
        "1/change",
        "..%2F1",
        "%F0%9F%90%9F",
        "' OR 1=1 --",
        "x" * 5000,
    ],
)
def test_no_such_user(grace, id):
    assert grace.get(f"{LIST}account/{id}/").status_code == 404


def test_a_key_that_an_address_must_quote(grace, ada):
    if get_user_model()._meta.pk.name != "code":
        pytest.skip("the keys of this user model need no quotes")
    odd = make_user('a/b_"c')
    store(odd)
    response = grace.get(f"{LIST}account/a_2Fb_5F_22c/")
    assert response.status_code == 200
    assert "account/a_2Fb_5F_22c/" in grace.get(page_of(live(odd)[0])).content.decode()


def test_hostile_names_are_escaped(grace, ada, plays):
    hostile = "</title><script>alert(1)</script>\" x='"
    store_play(store(ada, device=hostile), what=hostile)
    text = text_of(grace, ada)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_numbers_in_the_drawing_are_in_no_language(grace, ada, settings):
    settings.LANGUAGE_CODE = "de"
    settings.USE_THOUSAND_SEPARATOR = True
    for _ in range(40):
        store(ada, hours=5.5)
    text = text_of(grace, ada)
    _, text = text.split('class="session-limit-chart"')
    text, _ = text.split('class="session-limit-names"')
    values = re.findall(r' (?:x|y|x1|x2|y1|y2|width|height)="([^"]*)"', text)
    assert any("." in value for value in values)
    assert [each for each in values if not re.fullmatch(r"-?[\d.]+%?", each)] == []
    assert max(float(value) for value in values if "%" not in value) > 1000
