"""What is kept of what was measured, and how it reads."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks.truth import report
from benchmarks.truth.results import AtOnce, Errors, Failed, InFlight, Truth, UnderLoad

WHOM = {"contender": "session-limit", "engine": "db", "database": "sqlite"}
LOAD = UnderLoad(
    **WHOM,
    commit="c0ffee",
    date="2026-01-01T00:00",
    circumstances="as by default",
    trials=10,
    came_back=4,
    came_back_later=3,
    winner_ended=2,
    both_dead=1,
    not_signed_in=0,
    outdated=5,
    violated=6,
    errors=Errors(server_errors=7, bad_requests=8),
    requests=100,
    sign_ins=20,
    under_way=30,
)
MORE = dataclasses.replace(LOAD, circumstances="ATOMIC_REQUESTS")
AT_ONCE = AtOnce(
    **WHOM,
    view="sync",
    at_once=8,
    rounds=5,
    sign_ins=45,
    let_in={"1": 3, "9": 2},
    stayed={"1": 5},
    errors=Errors(),
)
IN_FLIGHT = InFlight(
    **WHOM,
    view="sync",
    change="key",
    rounds=5,
    came_back=1,
    winner_ended=2,
    errors=Errors(),
)
FAILED = Failed(**WHOM, error="No module named gone")
MACHINE = {
    "command": "command",
    "commit": "c0ffee",
    "changed": False,
    "date": "2026-01-01",
    "load": 0,
    "cores": 2,
    "processor": "one",
    "system": "Linux",
    "versions": {"Python": "3"},
}


@pytest.fixture
def keep(tmp_path):
    def keep(*rows):
        truth = Truth.load(tmp_path)
        truth.machine = MACHINE
        for row in rows:
            truth.put(row)
        truth.save(tmp_path)
        return Truth.load(tmp_path)

    return keep


def test_rows_are_kept_as_they_are(keep) -> None:
    truth = keep(LOAD, AT_ONCE, IN_FLIGHT)
    assert truth.under_load == [LOAD]
    assert truth.at_once == [AT_ONCE]
    assert truth.in_flight == [IN_FLIGHT]


def test_what_is_measured_again_replaces_its_row_alone(keep) -> None:
    again = dataclasses.replace(LOAD, came_back=0)
    truth = keep(LOAD, MORE, again)
    assert truth.under_load == [MORE, again]


def test_one_that_runs_after_all_has_not_failed(keep) -> None:
    assert keep(FAILED).failed == [FAILED]
    assert keep(AT_ONCE).failed == []


def test_errors_that_a_client_is_asked_to_repeat_do_not_count() -> None:
    both = Errors(retryable=3) + Errors(server_errors=1, retryable=1, unanswered=1)
    assert both == Errors(server_errors=1, retryable=4, unanswered=1)
    assert both.count == 2


def test_nothing_is_said_of_what_was_not_measured(tmp_path) -> None:
    assert report.markdown(tmp_path) == ""


def test_circumstances_are_added_up(keep, tmp_path) -> None:
    keep(LOAD, MORE, AT_ONCE, IN_FLIGHT)
    text = report.markdown(tmp_path)
    cells = "| 20 | 8 (6) | 4 (2) | 14 | 16 | 10 |"
    assert f"| session-limit | `db` | sqlite {cells}" in text
    assert "| 45 | 1-9 | 1 | 0 | 0 |" in text
    assert "| 0 of 0 | 0 of 0 | 1 of 5 | 2 of 5 | 0 | 0 |" in text


def test_one_that_did_not_run_is_named_with_its_error(keep, tmp_path) -> None:
    keep(FAILED)
    assert "| session-limit | `db` | No module named gone |" in report.markdown(
        tmp_path
    )
