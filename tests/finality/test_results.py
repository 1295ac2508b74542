"""What an experiment counts is added up, and shown in its place on the page."""

from __future__ import annotations

import dataclasses

from benchmarks import figures
from tests.finality.__main__ import PAGE
from tests.finality.results import AtOnce, Errors, InFlight, UnderLoad, merged

WHOM = {"contender": "session-limit", "engine": "db", "database": "sqlite"}
LOAD = UnderLoad(
    **WHOM,
    circumstances="as by default",
    trials=10,
    came_back=4,
    came_back_later=3,
    winner_ended=2,
    both_ended=1,
    not_signed_in=0,
    outdated=5,
    violated=6,
    errors=Errors(server_errors=7, bad_requests=8),
    under_way=30,
)
MORE = dataclasses.replace(LOAD, circumstances="ATOMIC_REQUESTS")
AT_ONCE = AtOnce(
    **WHOM,
    at_once=8,
    sign_ins=45,
    let_in=(1, 9, 1),
    stayed=(1, 1, 1),
    errors=Errors(),
)
IN_FLIGHT = InFlight(
    **WHOM, change="key", rounds=5, came_back=1, winner_ended=2, errors=Errors()
)


def test_errors_that_a_client_may_repeat_do_not_count() -> None:
    both = Errors(retryable=3) + Errors(server_errors=1, retryable=1, unanswered=1)
    assert both == Errors(server_errors=1, retryable=4, unanswered=1)
    assert both.count == 2


def test_circumstances_are_added_up() -> None:
    assert UnderLoad.cells([LOAD, MORE]) == [20, "8 (6)", "4 (2)", 14, 16, 10]
    assert AtOnce.cells([AT_ONCE]) == [45, "1-9", "1", "", "", 0, 0]
    in_flight = ["0 of 0", "0 of 0", "1 of 5", "2 of 5", 0, 0]
    assert InFlight.cells([IN_FLIGHT]) == in_flight


def test_a_row_that_is_measured_again_replaces_the_earlier_one_alone() -> None:
    other = ["plain", "`db`", "sqlite", *AtOnce.cells([AT_ONCE]), "c0ffee"]
    row = [*AT_ONCE.whom, *AtOnce.cells([AT_ONCE]), "c0ffee"]
    both = merged(merged("", AtOnce, row), AtOnce, other)
    again = merged(both, AtOnce, [*row[:-1], "decade"])
    assert again.splitlines() == [
        line.replace("c0ffee", "decade") if "session-limit" in line else line
        for line in both.splitlines()
    ]


def test_the_page_has_a_table_for_each_experiment() -> None:
    for kind in (UnderLoad, AtOnce, InFlight):
        head = figures.block(PAGE, kind.block).splitlines()[0]
        assert head == merged("", kind, []).splitlines()[0]
