"""What the judge says of trials that are made up: of a right one, nothing."""

from __future__ import annotations

import dataclasses

import pytest

from tests.cap.browsers import Answer
from tests.finality.judge import Asked, Trial, judge
from tests.finality.results import Errors

ANN = Answer(200, {"user": "ann", "credentials": "old"})
NOBODY = Answer(401, {"user": None})
BOB = Answer(200, {"user": "bob", "credentials": "old"})
RETRY = Answer(503, retry_after="1")

# The loser asks at 0 and gets its answer at 5, while the winner signs in, from 1 to 4.
BEFORE = Asked("write", 0, 5, ANN)
SIGN_IN = Asked("sign-in", 1, 4, ANN)
AFTER = Asked("whoami", 6, 7, NOBODY)
PAGE = Asked("whoami", 5, 8, ANN)
RIGHT = Trial("ann", [BEFORE, AFTER], [SIGN_IN], [PAGE, PAGE], "old")


def changed(**changes: object) -> Trial:
    return dataclasses.replace(RIGHT, **changes)


def test_nothing_is_said_of_a_right_trial() -> None:
    verdict = judge(RIGHT)
    assert not verdict.violated
    assert not verdict.outdated
    assert verdict.under_way == 1


def test_a_request_that_started_after_the_answer_and_is_authenticated() -> None:
    verdict = judge(changed(loser=[BEFORE, Asked("write", 4.1, 9, ANN)]))
    assert verdict.violated
    assert verdict.came_back == ("write",)
    assert verdict.came_back_later == ()


def test_one_that_started_after_the_winner_opened_a_page() -> None:
    verdict = judge(changed(loser=[BEFORE, Asked("write", 8.1, 9, ANN)]))
    assert verdict.came_back_later == ("write",)


def test_one_that_was_answered_as_somebody_else_has_not_come_back() -> None:
    assert not judge(changed(loser=[Asked("whoami", 6, 7, BOB)])).came_back


@pytest.mark.parametrize("answer", [NOBODY, BOB, Answer(403)])
def test_the_winner_is_signed_out(answer: Answer) -> None:
    verdict = judge(changed(winner=[PAGE, Asked("whoami", 9, 10, answer), PAGE]))
    assert verdict.violated
    assert verdict.winner_ended
    assert verdict.both_ended


def test_both_are_not_dead_where_the_loser_has_come_back() -> None:
    back, gone = Asked("whoami", 6, 7, ANN), Asked("whoami", 9, 10, NOBODY)
    verdict = judge(changed(loser=[back], winner=[PAGE, gone]))
    assert verdict.winner_ended
    assert not verdict.both_ended


def test_a_winner_whose_password_was_changed_meanwhile_is_rightly_signed_out() -> None:
    gone = Asked("whoami", 5, 6, NOBODY)
    verdict = judge(changed(winner=[gone], credentials="new"))
    assert not verdict.violated
    assert verdict.outdated
    assert not verdict.winner_ended


def test_a_change_of_password_after_the_loss_is_no_excuse() -> None:
    change = Asked("change-password", 4.1, 5, ANN)
    verdict = judge(changed(loser=[change], credentials="new"))
    assert verdict.violated


@pytest.mark.parametrize(
    ("answer", "errors"),
    [
        (Answer(500), Errors(server_errors=1)),
        (Answer(503), Errors(server_errors=1)),
        (Answer(400), Errors(bad_requests=1)),
        (Answer(0), Errors(unanswered=1)),
    ],
)
def test_errors(answer: Answer, errors: Errors) -> None:
    failed = Asked("write", 0, 5, answer)
    for trial in (
        changed(loser=[BEFORE, failed]),
        changed(winner=[PAGE, failed]),
        changed(sign_ins=[failed, SIGN_IN]),
    ):
        verdict = judge(trial)
        assert verdict.violated
        assert verdict.errors == errors
        assert answer.status == 400 or not verdict.winner_ended


def test_an_answer_that_asks_to_try_again_is_counted_and_allowed() -> None:
    verdict = judge(changed(sign_ins=[Asked("sign-in", 0, 1, RETRY), SIGN_IN]))
    assert not verdict.violated
    assert verdict.errors == Errors(retryable=1)


def test_a_winner_who_never_got_in() -> None:
    verdict = judge(changed(sign_ins=[Asked("sign-in", 0, 1, RETRY)]))
    assert verdict.violated
    assert verdict.not_signed_in
