"""
One account in two browsers: which session stays, which ends, and how many may live.
"""

from __future__ import annotations

import pytest
from django.db import connections

from session_limit import registry
from session_limit.models import AccountLimit, UserSession
from session_limit.policy import AtLimit
from session_limit.rules import Rules
from session_limit.signals import limit_reached, session_ended
from session_limit.store import queries
from session_limit.store.liveness import Row
from session_limit.testing import PHONE
from tests import stores
from tests.stories.people import (
    NOBODY,
    SIGNED_IN,
    live,
    make_user,
    only_kept,
    reasons,
    set_cookie,
    statements,
)

Reason = UserSession.Reason


@pytest.fixture
def heard():
    """Collect the signals that were sent, in order."""
    told = []

    def hear_ended(session, reason, by, by_session, **kwargs):
        told.append(("ended", session.pk, reason, by, by_session))

    def hear_limit(user, scope, limit, at_limit, session_id, **kwargs):
        told.append(("limit", user.pk, scope, limit, at_limit, session_id))

    session_ended.connect(hear_ended)
    limit_reached.connect(hear_limit)
    yield told
    session_ended.disconnect(hear_ended)
    limit_reached.disconnect(hear_limit)


def test_the_second_sign_in_displaces_the_first(ada, laptop, phone, heard):
    assert laptop.sign_in().status_code == 302
    assert laptop.name == "ada"
    (first,) = live(ada)

    assert phone.sign_in().status_code == 302
    (second,) = live(ada)
    assert phone.state == SIGNED_IN
    assert laptop.state == Reason.DISPLACED
    assert laptop.name is None
    assert heard == [
        ("ended", first.pk, Reason.DISPLACED, "", second.pk),
        ("limit", ada.pk, "", 1, AtLimit.DISPLACE, second.pk),
    ]

    first.refresh_from_db()
    assert (first.session_key, first.ended_by_session) == (None, second.pk)
    assert only_kept(phone)


def test_the_displaced_browser_comes_back_by_signing_in(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    assert laptop.open().status_code == 401

    assert laptop.sign_in().status_code == 302
    assert laptop.state == SIGNED_IN
    assert phone.state == Reason.DISPLACED


def test_neither_an_ended_cookie_nor_its_sign_out_touches_the_winner(
    ada, laptop, phone
):
    laptop.sign_in()
    phone.sign_in()

    for path in ("logout", "flush", "write", "interrupted"):
        thief = laptop.twin()
        thief.post(thief.path(path))
        assert thief.name is None
    assert laptop.state == Reason.DISPLACED
    assert phone.state == SIGNED_IN
    assert reasons() == [Reason.DISPLACED]


def test_a_stored_session_that_comes_back_is_nobodys(ada, laptop, phone):
    """A late save, a cache or a backup may restore the data, which proves nothing."""
    laptop.sign_in()
    stored = laptop.stored
    phone.sign_in()
    laptop.stored = stored
    assert laptop.name is None
    assert laptop.write().json()["user"] is None
    assert laptop.state == Reason.DISPLACED
    assert phone.state == SIGNED_IN


@pytest.mark.parametrize("limit", [1, 3])
def test_as_many_as_the_limit_stay(ada, browser, settings, limit):
    settings.SESSION_LIMIT = limit
    browsers = [browser() for _ in range(limit + 2)]
    for each in browsers:
        each.sign_in()
    assert [each.state for each in browsers] == [Reason.DISPLACED] * 2 + [
        SIGNED_IN
    ] * limit


def test_without_a_limit_all_stay_and_are_listed(ada, laptop, phone, tablet, settings):
    settings.SESSION_LIMIT = None
    for each in (laptop, phone, tablet):
        each.sign_in()
    assert {laptop.state, phone.state, tablet.state} == {SIGNED_IN}
    assert len(live(ada)) == 3

    seen = laptop.get(laptop.path("facade")).json()
    assert seen == {
        "current": laptop.row.pk.hex,
        "ended": None,
        "others": ["Chrome on Android", "Safari on iPad"],
    }


def test_what_a_view_is_told_of_an_ended_session(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    seen = laptop.get(laptop.path("facade")).json()
    assert seen == {"current": None, "ended": Reason.DISPLACED, "others": []}
    seen = phone.get(phone.path("facade")).json()
    assert seen == {"current": phone.row.pk.hex, "ended": None, "others": []}


@pytest.mark.parametrize(
    ("displace", "who_goes"),
    [("least_recent", {"phone"}), ("oldest", {"laptop"}), ("all", {"laptop", "phone"})],
)
def test_who_makes_room(ada, laptop, phone, tablet, settings, time, displace, who_goes):
    settings.SESSION_LIMIT = 2
    settings.SESSION_LIMIT_DISPLACE = displace
    laptop.sign_in()
    phone.sign_in()
    time.advance(minutes(5))
    laptop.open()

    tablet.sign_in()
    states = {"laptop": laptop.state, "phone": phone.state}
    assert tablet.state == SIGNED_IN
    assert {name for name, state in states.items() if state != SIGNED_IN} == who_goes


def minutes(n):
    return n * 60


def test_signing_in_again_in_the_same_browser_takes_no_second_place(
    ada, laptop, phone, settings
):
    settings.SESSION_LIMIT = 2
    laptop.sign_in()
    phone.sign_in()
    row = laptop.row
    for _ in range(3):
        laptop.sign_in()
        assert laptop.row == row
    assert len(live(ada)) == 2
    assert phone.state == laptop.state == SIGNED_IN
    assert reasons() == []


def test_signing_in_again_under_deny_is_not_refused(ada, laptop, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    assert laptop.sign_in().status_code == 302
    assert laptop.state == SIGNED_IN


def test_sign_out_back_button_and_a_replayed_cookie(ada, laptop):
    laptop.sign_in()
    thief = laptop.twin()
    laptop.sign_out()
    assert live() == []
    assert laptop.cookie is None
    assert laptop.state == NOBODY
    # Going back requests the page again. The browser sends no cookie now, and a thief
    # sends the old one.
    assert laptop.open().status_code == 302
    assert thief.name is None
    assert thief.state == Reason.SIGNED_OUT
    assert only_kept()

    assert laptop.sign_in().status_code == 302
    assert thief.state == Reason.SIGNED_OUT
    assert laptop.state == SIGNED_IN


def test_another_user_in_the_same_browser(ada, bob, laptop, phone):
    laptop.sign_in("ada")
    thief = laptop.twin()
    assert laptop.sign_in("bob").status_code == 302
    assert laptop.name == "bob"
    # Django empties the browser's former session. That one has ended, and no other.
    assert live(ada) == []
    assert thief.state == Reason.SIGNED_OUT

    phone.sign_in("ada")
    assert phone.state == SIGNED_IN
    assert laptop.state == SIGNED_IN
    assert thief.name is None


def test_accounts_do_not_meet(ada, bob, laptop, phone):
    laptop.sign_in("ada")
    phone.sign_in("bob")
    assert (laptop.name, phone.name) == ("ada", "bob")
    assert reasons() == []


def test_deny_refuses_the_newcomer(ada, laptop, phone, settings, heard):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    response = phone.sign_in()
    assert response.status_code == 403
    assert b"signed in on 1 device already" in response.content
    assert response["Cache-Control"] == (
        "max-age=0, no-cache, no-store, must-revalidate, private"
    )
    assert set_cookie(response) is None
    assert phone.name is None
    assert laptop.state == SIGNED_IN
    assert heard == [("limit", ada.pk, "", 1, AtLimit.DENY, None)]
    assert only_kept(laptop)

    response = phone.sign_in(headers={"Accept": "application/json"})
    assert response.status_code == 403
    answer = response.json()
    assert "signed in on 1 device already" in answer.pop("detail")
    (rival,) = answer.pop("sessions")
    assert rival["id"] == str(laptop.row.pk)
    expected = {"version": 1, "code": "session_limit", "limit": 1, "count": 1}
    assert answer == expected
    response = phone.sign_in(headers={"Accept": "*/*", "HX-Request": "true"})
    assert response.status_code == 403
    assert b"signed in on 1 device already" in response.content

    laptop.sign_out()
    assert phone.sign_in().status_code == 302
    assert phone.state == SIGNED_IN


def test_a_refusal_that_a_view_catches_is_a_refusal(ada, laptop, phone, settings):
    """The refusal decides on the answer, not the exception."""
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    response = phone.post(phone.path("sign-in-and-swallow"), {"name": "ada"})
    assert response.status_code == 403
    assert b"signed in on 1 device already" in response.content
    assert phone.name is None


def test_observe_ends_nobody_and_says_so(ada, laptop, phone, settings, heard):
    settings.SESSION_LIMIT_AT_LIMIT = "observe"
    laptop.sign_in()
    phone.sign_in()
    assert laptop.state == phone.state == SIGNED_IN
    assert heard == [("limit", ada.pk, "", 1, AtLimit.OBSERVE, phone.row.pk)]


def test_an_accounts_own_limit_comes_first(ada, bob, browser):
    AccountLimit.objects.create(user=ada, limit=2)
    browsers = [browser() for _ in range(3)]
    for each in browsers:
        each.sign_in("ada")
    assert [each.state for each in browsers] == [
        Reason.DISPLACED,
        SIGNED_IN,
        SIGNED_IN,
    ]
    for each in browsers:
        each.sign_in("bob")
    assert [each.name for each in browsers] == [None, None, "bob"]


class PerPlan(Rules):
    """
    Allow three sessions for the team, any number for staff, and one for all others.
    """

    def limit(self, user, scope):
        return {"team": 3, "staff": None}.get(user.get_username(), 1)


def test_a_limit_per_plan(browser, settings):
    settings.SESSION_LIMIT_RULES = f"{__name__}.PerPlan"
    for name, limit in (("free", 1), ("team", 3), ("staff", 4)):
        user = make_user(name)
        for _ in range(4):
            browser().sign_in(name)
        assert len(live(user)) == limit


class OneOfEach(Rules):
    """Count phones and all other devices apart."""

    def scope(self, user, request):
        return "phone" if "Mobile" in request.headers.get("User-Agent", "") else "other"


def test_one_phone_and_one_computer(ada, laptop, phone, browser, settings):
    settings.SESSION_LIMIT_RULES = f"{__name__}.OneOfEach"
    laptop.sign_in()
    phone.sign_in()
    assert laptop.state == phone.state == SIGNED_IN

    second_phone = browser(PHONE)
    second_phone.sign_in()
    assert phone.state == Reason.DISPLACED
    assert laptop.state == second_phone.state == SIGNED_IN
    assert {row.scope for row in live(ada)} == {"phone", "other"}


def test_a_scope_is_fixed_at_sign_in(ada, laptop, settings):
    laptop.sign_in()
    settings.SESSION_LIMIT_RULES = f"{__name__}.OneOfEach"
    laptop.sign_in()
    (row,) = live(ada)
    assert row.scope == ""


class StaffIsExempt(Rules):
    def exempt(self, user, request):
        return user.get_username() == "staff"


def test_who_is_exempt_takes_no_place_and_is_listed(laptop, phone, settings):
    settings.SESSION_LIMIT_RULES = f"{__name__}.StaffIsExempt"
    staff = make_user("staff")
    laptop.sign_in("staff")
    phone.sign_in("staff")
    assert laptop.state == phone.state == SIGNED_IN
    assert [row.counted for row in live(staff)] == [False, False]


def test_a_downgrade_comes_down_at_the_next_sign_in(ada, browser, settings):
    settings.SESSION_LIMIT = 5
    browsers = [browser() for _ in range(6)]
    for each in browsers[:5]:
        each.sign_in()
    settings.SESSION_LIMIT = 2
    assert [each.state for each in browsers[:5]] == [SIGNED_IN] * 5

    browsers[5].sign_in()
    assert [each.state for each in browsers] == [Reason.DISPLACED] * 4 + [SIGNED_IN] * 2


def test_a_downgrade_comes_down_at_once(ada, browser, settings):
    settings.SESSION_LIMIT = 5
    browsers = [browser() for _ in range(5)]
    for each in browsers:
        each.sign_in()
    settings.SESSION_LIMIT = 2
    assert len(registry.enforce(ada)) == 3
    assert registry.enforce(ada) == []
    assert [each.state for each in browsers] == [Reason.LIMIT_LOWERED] * 3 + [
        SIGNED_IN
    ] * 2


def test_a_sign_in_that_fails_ends_nobody(ada, laptop, phone):
    laptop.sign_in()
    assert phone.sign_in(password="wrong").status_code in {200, 400}
    assert laptop.state == SIGNED_IN
    assert len(live(ada)) == 1


@pytest.mark.parametrize("atomic", [True, False])
def test_a_sign_in_that_is_rolled_back_ends_nobody(ada, laptop, phone, atomic, heard):
    laptop.sign_in()
    phone.client.raise_request_exception = False
    connections.settings["default"]["ATOMIC_REQUESTS"] = atomic
    try:
        response = phone.post("/sign-in-then-fail/", {"name": "ada"})
    finally:
        connections.settings["default"]["ATOMIC_REQUESTS"] = False
    assert response.status_code == 500
    if atomic:
        assert laptop.state == SIGNED_IN
        assert heard == []
        assert len(live(ada)) == 1
    else:
        # The sign-in was committed before the view failed.
        assert laptop.state == Reason.DISPLACED
    assert phone.name is None


def test_the_cost_of_a_page_does_not_change(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    with statements() as ran:
        assert phone.name == "ada"
    assert len(ran) == stores.STATEMENTS


def test_a_request_reads_the_values_that_the_orm_reads(ada, laptop):
    """This includes keys: SQLite stores a UUID as text."""
    laptop.sign_in()
    session = UserSession.objects.get()
    assert queries.read(session.pk) == Row.of(session)
