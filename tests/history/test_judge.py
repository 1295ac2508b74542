"""Test that the judge objects to each kind of wrong history, and to no right one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.history.history import (
    Connection,
    Fault,
    History,
    Observation,
    Operation,
    PlayRow,
    Recorder,
    Row,
    Run,
    read,
)
from tests.history.judge import objections
from tests.history.report import figures, table

RUN = Run("postgresql", "none", 1, 60, servers=3, browsers=2, limit=1, play_limit=1)


def operation(kind, at, session="", *, until=None, outcome="ok", **values) -> Operation:
    """Return an operation of user 1 that took 0.1 s unless ``until`` is given."""
    completed = at + 0.1 if until is None else until
    values = {"server": 0, "user": "1", "session": session, **values}
    return Operation(kind, invoked=at, completed=completed, outcome=outcome, **values)


def seen(at, live=(), left=(), **values) -> Observation:
    return Observation(at - 0.01, at, dict.fromkeys(live, "1"), tuple(left), **values)


def held(session="a", *, opened=1.5, ended, how="told", kind="socket") -> Connection:
    return Connection(kind, 0, "1", session, opened - 0.1, opened, ended, how)


# Session "a" signs in, holds a socket, and is displaced by "b", which stays live.
SIGN_INS = operation("sign_in", 1, "a"), operation("sign_in", 3, "b")
STATES = seen(1.1, ["a"]), seen(3.1, ["b"], ["a"])
ROWS = Row("a", "1", True, "displaced", "b"), Row("b", "1", False)
RIGHT = History(
    RUN,
    operations=(*SIGN_INS, operation("who", 2, "a", presented="a")),
    connections=(held(ended=3.5),),
    observations=STATES,
    rows=ROWS,
)


# A connection that is irrelevant for the others.
OTHERS = (held("other", ended=9, how="left"),)


def rules(history: History) -> set[str]:
    return {each.rule for each in objections(history)}


def with_operations(*more: Operation, history: History = RIGHT) -> History:
    return replace(history, operations=(*history.operations, *more))


def test_nothing_is_wrong_with_a_right_history() -> None:
    assert objections(RIGHT) == []


def test_a_history_in_which_nothing_happened_says_nothing() -> None:
    assert rules(History(RUN)) == {"something happened"}
    refused = replace(SIGN_INS[0], outcome="fail", session="")
    history = replace(RIGHT, operations=(refused,), rows=(), connections=OTHERS)
    assert rules(history) == {"something happened"}


# The cap. -----------------------------------------------------------------------------


def test_two_live_sessions_exceed_the_limit() -> None:
    both = replace(
        RIGHT, observations=(seen(1.1, ["a"]), seen(3.05, ["b"]), *STATES[1:])
    )
    assert "cap" in rules(both)


def test_an_accounts_own_limit_counts_from_the_state_that_has_it() -> None:
    raised = seen(2, limits={"1": 2}), seen(3.05, ["b"]), seen(3.1, left=["a"])
    history = replace(RIGHT, observations=(STATES[0], *raised))
    assert objections(history) == []
    lowered = replace(history, observations=(*history.observations[:3], seen(3.07)))
    lowered = replace(
        lowered, observations=(*lowered.observations, seen(3.08, limits={"1": None}))
    )
    assert "cap" in rules(lowered)


def test_two_plays_exceed_the_limit() -> None:
    one = seen(2, playing={"p": "1"})
    assert objections(replace(RIGHT, observations=(STATES[0], one, STATES[1]))) == []
    two = seen(2.1, playing={"q": "1"})
    history = replace(RIGHT, observations=(STATES[0], one, two, STATES[1]))
    assert rules(history) == {"play cap"}


# Finality. ----------------------------------------------------------------------------


def test_an_ended_session_authenticates_nothing_that_was_sent_later() -> None:
    after = operation("replay", 3.2, "a", presented="a")
    assert rules(with_operations(after)) == {"finality"}


def test_a_request_that_was_under_way_may_be_answered() -> None:
    before = operation("who", 3.05, "a", presented="a", until=9)
    assert objections(with_operations(before)) == []


def test_a_play_of_an_ended_session_is_not_renewed() -> None:
    renewed = operation("renew", 3.2, presented="a", play="p")
    assert rules(with_operations(renewed)) == {"finality"}


def test_a_refusal_authenticates_nobody() -> None:
    refused = operation("who", 3.2, presented="a", outcome="fail", status=401)
    unknown = operation("who", 3.2, presented="a", outcome="info")
    assert objections(with_operations(refused, unknown)) == []


def test_a_socket_does_not_open_for_an_ended_session() -> None:
    late = held(opened=3.5, ended=3.6)
    assert "finality" in rules(replace(RIGHT, connections=(late,)))


def test_an_acknowledged_ending_is_final_whatever_was_seen_of_it() -> None:
    out = operation("sign_out", 4, "b", presented="b")
    rows = ROWS[0], Row("b", "1", True, "signed_out")
    history = with_operations(out, history=replace(RIGHT, rows=rows))
    assert objections(history) == []
    after = operation("who", 4.2, "b", presented="b")
    assert rules(with_operations(after, history=history)) == {"finality"}


def test_a_sign_out_without_an_answer_may_have_happened_or_not() -> None:
    out = operation("sign_out", 4, presented="b", outcome="info")
    after = operation("who", 4.2, "b", presented="b")
    history = with_operations(out, after)
    assert objections(history) == []
    ended = replace(
        history,
        observations=(*STATES, seen(5, left=["b"])),
        rows=(ROWS[0], Row("b", "1", True, "signed_out")),
    )
    assert objections(ended) == []


def test_what_was_answered_to_have_ended_is_not_live_in_the_end() -> None:
    out = operation("sign_out", 4, "b", presented="b")
    assert rules(with_operations(out)) == {"finality"}


def test_a_password_change_ends_the_others() -> None:
    run = replace(RUN, limit=2)
    change = operation("password", 4, "b", presented="b")
    history = History(
        run,
        operations=(*SIGN_INS, change),
        connections=OTHERS,
        observations=(seen(1.1, ["a"]), seen(3.1, ["b"]), seen(6, left=["a"])),
        rows=(Row("a", "1", True, "password_changed"), Row("b", "1", False)),
    )
    assert objections(history) == []
    after = operation("who", 4.2, "a", presented="a")
    assert rules(with_operations(after, history=history)) == {"finality"}
    during = operation("sign_in", 4.05, "a", presented="a")
    assert objections(with_operations(during, after, history=history)) == []


def test_a_cookie_authenticates_no_other_session() -> None:
    other = operation("who", 4, "b", presented="a")
    assert rules(with_operations(other)) == {"finality"}


def test_an_ending_is_not_undone() -> None:
    back = replace(RIGHT, observations=(*STATES, seen(5, ["a"], ["b"])))
    assert "finality" in rules(back)
    crash = Fault("restart_database", (0, 1, 2), 3.2, 4, 4)
    assert "finality" in rules(replace(back, faults=(crash,)))


def test_a_crash_may_undo_what_nobody_was_answered() -> None:
    lost = operation("sign_in", 3, outcome="info")
    history = History(
        RUN,
        operations=(SIGN_INS[0], lost),
        connections=OTHERS,
        observations=(*STATES, seen(5, ["a"], ["b"])),
        rows=(Row("a", "1", False),),
    )
    assert rules(history) == {"finality"}
    crash = Fault("restart_database", (0, 1, 2), 3.2, 4, 4)
    assert objections(replace(history, faults=(crash,))) == []


def test_what_has_ended_is_not_renewed() -> None:
    states = (
        STATES[0],
        seen(2, playing={"p": "1"}),
        seen(2.5, stopped=["p"]),
        STATES[1],
    )
    renewed = operation("renew", 2.6, presented="a", play="p")
    history = replace(RIGHT, observations=states)
    assert rules(with_operations(renewed, history=history)) == {"play finality"}
    early = replace(renewed, invoked=2.4)
    assert objections(with_operations(early, history=history)) == []


def test_a_stopped_play_is_not_renewed() -> None:
    stop = operation("stop_play", 2, presented="a", play="p")
    renewed = operation("renew", 2.2, presented="a", play="p")
    assert rules(with_operations(stop, renewed)) == {"play finality"}


# The newer session stays. -------------------------------------------------------------


def test_the_loser_does_not_displace_the_winner() -> None:
    rows = ROWS[0], Row("b", "1", True, "displaced", "a")
    assert "the newer session stays" in rules(replace(RIGHT, rows=rows))


def test_an_older_session_does_not_displace_a_newer_one() -> None:
    third = operation("sign_in", 5, "c")
    rows = *ROWS, Row("c", "1", True, "displaced", "b")
    history = with_operations(third, history=replace(RIGHT, rows=rows))
    assert "the newer session stays" in rules(history)


def test_two_that_sign_in_at_once_may_displace_either() -> None:
    first = operation("sign_in", 1, "a", until=4)
    history = replace(RIGHT, operations=(first, SIGN_INS[1]))
    rows = Row("a", "1", False), Row("b", "1", True, "displaced", "a")
    states = seen(3.9, ["a"]), seen(3.95, ["b"], ["a"])
    history = replace(history, rows=rows, observations=states[:1], connections=OTHERS)
    assert objections(history) == []


def test_nobody_is_displaced_by_another_account() -> None:
    rows = ROWS[0], Row("b", "2", False)
    assert rules(replace(RIGHT, rows=rows)) == {"the newer session stays"}


# No ending without a reason. ----------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "kind", "presented"),
    [
        ("signed_out", "sign_out", "b"),
        ("revoked", "revoke", "b"),
        ("revoked", "revoke", ""),
        ("limit_lowered", "limit", ""),
        ("password_changed", "password", "a"),
        ("credentials_changed", "password", "a"),
        ("expired", "password", "b"),
    ],
)
def test_somebody_did_what_a_reason_says(reason, kind, presented) -> None:
    rows = ROWS[0], Row("b", "1", True, reason)
    ended = replace(RIGHT, rows=rows, observations=(*STATES, seen(5, left=["b"])))
    assert rules(ended) == {"no ending without a reason"}
    # Nobody knows the outcome of this operation.
    cause = operation(kind, 4, presented=presented, outcome="info")
    assert objections(with_operations(cause, history=ended)) == []
    too_late = replace(cause, invoked=5.1)
    other = replace(cause, user="2")
    refused = replace(cause, outcome="fail")
    for each in (too_late, other, refused):
        history = with_operations(each, history=ended)
        assert rules(history) == {"no ending without a reason"}


@pytest.mark.parametrize("reason", ["", "idle"])
def test_a_reason_that_nothing_explains(reason) -> None:
    rows = ROWS[0], Row("b", "1", True, reason)
    assert rules(replace(RIGHT, rows=rows)) == {"no ending without a reason"}


def test_another_sessions_sign_out_explains_nothing() -> None:
    out = operation("sign_out", 4, presented="a", outcome="info")
    rows = ROWS[0], Row("b", "1", True, "signed_out")
    history = with_operations(out, history=replace(RIGHT, rows=rows))
    assert rules(history) == {"no ending without a reason"}


def test_plays_end_for_a_reason_and_within_their_account() -> None:
    displaced = PlayRow("p", "b", "1", True, "displaced", "q")
    newer = PlayRow("q", "b", "1", False)
    assert objections(replace(RIGHT, plays=(displaced, newer))) == []
    for plays in (
        (displaced,),
        (displaced, replace(newer, user="2")),
        (replace(displaced, reason=""), newer),
    ):
        assert rules(replace(RIGHT, plays=plays)) == {"no ending without a reason"}


def test_a_play_does_not_lapse_within_its_lease() -> None:
    started = operation("start_play", 2, presented="a", play="p")
    lapsed = PlayRow("p", "a", "1", True, "lapsed")
    states = *STATES, seen(5, playing={"p": "1"}), seen(31, stopped=["p"])
    history = replace(RIGHT, plays=(lapsed,), observations=states)
    assert rules(with_operations(started, history=history)) == {
        "no ending without a reason"
    }
    states = *states[:-1], seen(33, stopped=["p"])
    history = replace(history, observations=states)
    assert objections(with_operations(started, history=history)) == []


# Told in time. ------------------------------------------------------------------------


def test_a_client_that_is_told_too_late() -> None:
    assert rules(replace(RIGHT, connections=(held(ended=6.2),))) == {"told in time"}


def test_a_client_that_is_never_told() -> None:
    never = held(ended=9, how="open")
    assert rules(replace(RIGHT, connections=(never,))) == {"told in time"}
    just_now = held(ended=5, how="open")
    assert objections(replace(RIGHT, connections=(just_now,))) == []


def test_a_client_that_leaves_need_not_be_told() -> None:
    assert objections(replace(RIGHT, connections=(held(ended=9, how="left"),))) == []


def test_a_fault_in_its_way_excuses_a_delay_until_it_is_over() -> None:
    late = replace(RIGHT, connections=(held(ended=9),))
    stall = Fault("stall_database", (0,), 2, 7, 7)
    assert objections(replace(late, faults=(stall,))) == []
    for fault in (
        replace(stall, servers=(1,)),
        replace(stall, ended=4, settled=4),
        # The clients should have been told before the fault began.
        replace(stall, began=6.5),
    ):
        assert rules(replace(late, faults=(fault,))) == {"told in time"}


def test_a_client_is_not_told_of_a_live_session() -> None:
    wrong = held("b", opened=4, ended=5)
    assert rules(replace(RIGHT, connections=(wrong,))) == {"told in time"}


# A history is a file. -----------------------------------------------------------------


def test_what_is_recorded_is_what_is_judged(tmp_path) -> None:
    fault = Fault("stall_database", (0, 1), 2, 3, 3)
    recorder = Recorder(tmp_path / "history.jsonl")
    play = PlayRow("p", "b", "1", False)
    whole = replace(RIGHT, faults=(fault,), plays=(play,))
    parts = whole.connections, whole.faults, whole.observations, whole.rows, whole.plays
    for record in (RUN, *whole.operations, *(one for part in parts for one in part)):
        recorder.add(record)
    recorder.close()
    found = read(recorder.path)
    in_order = sorted(whole.operations, key=lambda each: each.invoked)
    assert found == replace(whole, operations=tuple(in_order))
    (tmp_path / "empty").touch()
    with pytest.raises(ValueError, match="is not a history"):
        read(tmp_path / "empty")


def test_the_figures_of_a_history() -> None:
    found = dict(figures(RIGHT, []))
    assert found["sign_in"] == "2: ok 2"
    assert found["endings"] == "displaced 1"
    assert found["told after the ending, s"] == "1: p50 0.40, p99 0.40, worst 0.40"
    assert found["violations"] == "0"
    assert table([(RIGHT, [])]).startswith(
        "|  | postgresql, none, 1 |\n| --- | --- |\n"
    )
