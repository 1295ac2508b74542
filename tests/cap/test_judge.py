"""Test that the judge objects to each kind of wrong round, and to no right one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cap.browsers import Answer, Browser, SignIn, overlap
from tests.cap.judge import Combination, Round, Situation, objections

ANN = Answer(200, {"user": "ann"})
BOB = Answer(200, {"user": "bob"})
ENDED = Answer(401, {"code": "session_ended"})
NOBODY = Answer(401, {"user": None})
REFUSED = Answer(403)
BARE_400 = Answer(400)
ERROR = Answer(500)
BARE_503 = Answer(503)
RETRYABLE = Answer(503, retry_after="1")

DISPLACE = Combination("postgresql", "read committed", False, "wsgi", "sync")
DENY = Combination("mariadb", "read committed", False, "wsgi", "sync", 1, "deny")
EXCUSED = Combination("postgresql", "repeatable read", True, "wsgi", "sync")


def admitted(cookie: str, next_page: Answer = ANN, user: str = "ann") -> SignIn:
    return SignIn(Browser(0), Answer(200, {"user": user}, cookie), next_page)


def turned_away(answer: Answer, next_page: Answer = NOBODY) -> SignIn:
    return SignIn(Browser(0), answer, next_page)


A, B = admitted("a", ENDED), admitted("b")
# A sign-in in a browser in which Bob was signed in.
BOBS = admitted("bob", BOB, "bob")
AFTER_BOB = SignIn(BOBS.browser, B.answer, B.next_page)
REFUSED_AFTER_BOB = SignIn(BOBS.browser, REFUSED, BOB)


def seen(race: list[SignIn], tried: dict[str, Answer], **facts: Any) -> Round:
    """Return a round in which everything is right except the given facts."""
    facts = {"others": [], "existing": [], "retried": [], "most_live": 1, **facts}
    stayed = {key: answer for key, answer in tried.items() if answer.status == 200}
    facts.setdefault("finally_live", 1)
    facts.setdefault("tried_again", stayed)
    situation = Situation(len(race), "nothing", len(facts["existing"]))
    return Round(
        situation=situation, race=race, samples=1, tried=tried, username="ann", **facts
    )


LOST_AND_WON = {"a": ENDED, "b": ANN}


@pytest.mark.parametrize(
    ("combination", "round_"),
    [
        (DISPLACE, seen([A, B], LOST_AND_WON)),
        (DISPLACE, seen([B, turned_away(ENDED)], {"b": ANN})),
        (DISPLACE, seen([B], LOST_AND_WON, existing=[admitted("a")])),
        (DISPLACE, seen([AFTER_BOB], {"bob": ENDED, "b": ANN}, others=[BOBS])),
        (DENY, seen([B, turned_away(REFUSED)], {"b": ANN})),
        (DENY, seen([turned_away(REFUSED)], {"b": ANN}, existing=[B])),
        (
            DENY,
            seen([B, REFUSED_AFTER_BOB], {"bob": BOB, "b": ANN}, others=[BOBS]),
        ),
        (EXCUSED, seen([A, turned_away(RETRYABLE)], LOST_AND_WON, retried=[B])),
    ],
)
def test_nothing_is_said_of_a_right_round(
    combination: Combination, round_: Round
) -> None:
    assert list(objections(combination, round_)) == []


@pytest.mark.parametrize(
    ("combination", "round_", "objection"),
    [
        (
            DISPLACE,
            seen([A, B], LOST_AND_WON, most_live=2),
            "2 live sessions were committed, the limit is 1",
        ),
        (
            DISPLACE,
            seen([A, B], {"a": ANN, "b": ANN}, finally_live=2),
            "2 cookies authenticate, the limit is 1",
        ),
        (
            DISPLACE,
            seen([A, B], {"a": ENDED, "b": ENDED}, finally_live=0),
            "0 cookies authenticate, the limit is 1",
        ),
        (
            DISPLACE,
            seen([A, B], LOST_AND_WON, finally_live=0),
            "1 cookies for 0 live sessions",
        ),
        (
            DISPLACE,
            seen([A, turned_away(ENDED)], LOST_AND_WON),
            "a cookie authenticates that no successful sign-in handed out",
        ),
        (
            DISPLACE,
            seen([A, B], LOST_AND_WON, tried_again={"b": ENDED}),
            "a session that had stayed was then ended: 401",
        ),
        (
            DISPLACE,
            seen([B], {"b": ANN}, others=[turned_away(RETRYABLE)]),
            "without rivals: 503",
        ),
        (
            DENY,
            seen([turned_away(REFUSED)], {"b": ANN}, existing=[A, B]),
            "without rivals: 200",
        ),
        (
            DISPLACE,
            seen([B, turned_away(BARE_400)], {"b": ANN}),
            "a sign-in was answered 400",
        ),
        (
            DISPLACE,
            seen([B, turned_away(RETRYABLE)], {"b": ANN}),
            "a sign-in was answered 503",
        ),
        (
            DISPLACE,
            seen([B, turned_away(REFUSED)], {"b": ANN}),
            "a sign-in was answered 403",
        ),
        (
            EXCUSED,
            seen([B, turned_away(BARE_503)], {"b": ANN}),
            "a sign-in was answered 503",
        ),
        (
            EXCUSED,
            seen([B, turned_away(ERROR)], {"b": ANN}),
            "a sign-in was answered 500",
        ),
        (
            EXCUSED,
            seen([B], {"b": ANN}, retried=[turned_away(RETRYABLE)]),
            "a sign-in was answered 503",
        ),
        (
            DISPLACE,
            seen([B, turned_away(NOBODY)], {"b": ANN}),
            "a displaced sign-in was not told why: 401",
        ),
        (
            DISPLACE,
            seen([admitted("b", ERROR)], {"b": ANN}),
            "after 200, the next page was answered 500",
        ),
        (
            DISPLACE,
            seen([admitted("b", BOB)], {"b": ANN}),
            "admitted, and on the next page 200 {'user': 'bob'}",
        ),
        (DENY, seen([A], {"b": ANN}), "admitted, and on the next page 401"),
        (
            DISPLACE,
            seen([B, turned_away(ENDED, ANN)], {"b": ANN}),
            "signed in by an answer 401",
        ),
        (
            DISPLACE,
            seen([A, B], {"a": ERROR, "b": ANN}),
            "a cookie was answered 500",
        ),
        (DENY, seen([A, B], LOST_AND_WON), "2 sign-ins were admitted to 1 places"),
        (
            DISPLACE,
            seen([AFTER_BOB], {"bob": BOB, "b": ANN}, others=[BOBS]),
            "another user's session outlived a sign-in in its browser",
        ),
        (
            DENY,
            seen([B, REFUSED_AFTER_BOB], {"bob": ENDED, "b": ANN}, others=[BOBS]),
            "a sign-in that was undone ended another user's session",
        ),
    ],
)
def test_an_objection(combination: Combination, round_: Round, objection: str) -> None:
    said = list(objections(combination, round_))
    assert any(each.startswith(objection) for each in said), said


def test_overlap_is_by_the_stamps() -> None:
    def inside(entered: int, left: int) -> Answer:
        return Answer(200, stamp=(entered, left, 1))

    assert overlap([inside(1, 5), inside(2, 4), inside(5, 9), Answer(503)]) == 2
