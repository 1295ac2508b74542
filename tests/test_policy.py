from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from session_limit.policy import (
    AtLimit,
    Decision,
    Displace,
    LiveSession,
    decide,
    decide_adoption,
    decide_choice,
    decide_swap,
    excess,
)

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def at(minute):
    return START + timedelta(minutes=minute)


def session(number, *, signed_in=0, active=0, adopted=False):
    return LiveSession(UUID(int=number), at(signed_in), at(active), adopted)


# There are few minutes to choose from, so that sessions often tie.
sessions = st.lists(
    st.builds(
        session,
        st.integers(0, 2**128 - 1),
        signed_in=st.integers(0, 4),
        active=st.integers(0, 4),
        adopted=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda live: live.id,
)
limits = st.integers(1, 9)
any_limit = st.none() | limits
displaces = st.sampled_from(Displace)


def by_id(live):
    return {one.id: one for one in live}


@given(sessions, limits, displaces)
def test_displacing_is_never_over_the_limit(live, limit, displace):
    decision = decide(live, limit=limit, at_limit=AtLimit.DISPLACE, displace=displace)
    assert decision.admitted
    assert len(by_id(live).keys() - set(decision.ended)) + 1 <= limit


@given(sessions, limits, st.sampled_from([Displace.LEAST_RECENT, Displace.OLDEST]))
def test_displacing_ends_no_more_than_it_must(live, limit, displace):
    decision = decide(live, limit=limit, at_limit=AtLimit.DISPLACE, displace=displace)
    assert len(decision.ended) == max(0, len(live) + 1 - limit)


@given(sessions, limits)
def test_all_leaves_the_newcomer_alone_once_the_limit_is_met(live, limit):
    decision = decide(
        live, limit=limit, at_limit=AtLimit.DISPLACE, displace=Displace.ALL
    )
    expected = by_id(live).keys() if len(live) >= limit else set()
    assert set(decision.ended) == expected


@given(sessions, any_limit, st.sampled_from(AtLimit), displaces)
def test_nothing_but_the_given_sessions_is_ended_and_nothing_twice(
    live, limit, at_limit, displace
):
    ended = decide(live, limit=limit, at_limit=at_limit, displace=displace).ended
    assert set(ended) <= by_id(live).keys()
    assert len(set(ended)) == len(ended)


@given(sessions, any_limit, st.sampled_from(AtLimit), displaces, st.randoms())
def test_the_order_in_which_sessions_are_given_does_not_matter(
    live, limit, at_limit, displace, random
):
    shuffled = random.sample(live, len(live))
    facts = {"limit": limit, "at_limit": at_limit, "displace": displace}
    assert decide(shuffled, **facts) == decide(live, **facts)


@given(st.data(), st.lists(st.tuples(limits, displaces), max_size=12))
def test_a_newcomer_is_live_after_its_sign_in_however_limits_change(data, sign_ins):
    live = {}
    for number, (limit, displace) in enumerate(sign_ins):
        # Clocks of workers differ, so that a newcomer may seem older than all others.
        minute = data.draw(st.integers(0, 4))
        newcomer = session(number, signed_in=minute, active=minute)
        decision = decide(
            list(live.values()),
            limit=limit,
            at_limit=AtLimit.DISPLACE,
            displace=displace,
        )
        live[newcomer.id] = newcomer
        for ended in decision.ended:
            del live[ended]
        assert newcomer.id in live
        assert len(live) <= limit


@given(sessions, limits, displaces)
def test_deny_admits_exactly_while_there_is_room_and_ends_nothing(
    live, limit, displace
):
    decision = decide(live, limit=limit, at_limit=AtLimit.DENY, displace=displace)
    assert decision.admitted == (len(live) < limit)
    assert decision.ended == ()


@given(sessions, limits, displaces)
def test_observe_admits_always_and_ends_nothing(live, limit, displace):
    decision = decide(live, limit=limit, at_limit=AtLimit.OBSERVE, displace=displace)
    assert decision.admitted
    assert decision.ended == ()


@given(sessions, limits, st.sampled_from(AtLimit), displaces)
def test_exceeded_says_that_the_limit_stood_in_the_way_whatever_was_done(
    live, limit, at_limit, displace
):
    decision = decide(live, limit=limit, at_limit=at_limit, displace=displace)
    assert decision.exceeded == (len(live) >= limit)


@given(sessions, st.sampled_from(AtLimit), displaces)
def test_without_a_limit_everybody_is_admitted_and_nobody_ended(
    live, at_limit, displace
):
    decision = decide(live, limit=None, at_limit=at_limit, displace=displace)
    assert decision.admitted
    assert decision.ended == ()
    assert not decision.exceeded


@given(sessions, any_limit, st.sampled_from(AtLimit))
def test_adoption_takes_a_free_place_and_never_ends_another(live, limit, at_limit):
    decision = decide_adoption(live, limit=limit, at_limit=at_limit)
    assert decision.exceeded == (limit is not None and len(live) >= limit)
    is_observed = at_limit is AtLimit.OBSERVE
    assert decision.admitted == (is_observed or not decision.exceeded)
    assert decision.ended == ()


@pytest.mark.parametrize("displace", Displace)
def test_a_limit_already_exceeded_comes_down_at_the_next_sign_in(displace):
    five = [session(number, signed_in=number, active=number) for number in range(5)]
    decision = decide(five, limit=2, at_limit=AtLimit.DISPLACE, displace=displace)
    expected = 5 if displace is Displace.ALL else 4
    assert decision.ended == tuple(UUID(int=number) for number in range(expected))


# Three sessions that sign-in, activity and id put into different orders
FIRST_IN = session(2, signed_in=1, active=9)
LEAST_ACTIVE = session(3, signed_in=2, active=3)
LAST_IN = session(1, signed_in=3, active=6)
THREE = [LAST_IN, FIRST_IN, LEAST_ACTIVE]


@pytest.mark.parametrize(
    ("displace", "order"),
    [
        (Displace.LEAST_RECENT, [LEAST_ACTIVE, LAST_IN, FIRST_IN]),
        (Displace.OLDEST, [FIRST_IN, LEAST_ACTIVE, LAST_IN]),
        (Displace.ALL, [LEAST_ACTIVE, LAST_IN, FIRST_IN]),
    ],
)
def test_sessions_go_in_the_order_that_was_chosen(displace, order):
    for limit in (1, 2, 3):
        decision = decide(
            THREE, limit=limit, at_limit=AtLimit.DISPLACE, displace=displace
        )
        leaving = order if displace is Displace.ALL else order[: 4 - limit]
        assert decision.ended == tuple(one.id for one in leaving)


@given(sessions, st.integers(0, 8), displaces)
def test_excess_is_what_is_too_many_and_nobody_goes_before_a_lesser(
    live, limit, displace
):
    gone = excess(live, limit=limit, displace=displace)
    assert len(gone) == max(0, len(live) - limit)

    def rank(one):
        if displace is Displace.OLDEST:
            return (0 if one.adopted else 1, one.created_at, one.id)
        return (one.last_active_at, one.id)

    found = by_id(live)
    ranks = [rank(found[id_]) for id_ in gone]
    assert ranks == sorted(ranks)
    stay = [rank(one) for id_, one in found.items() if id_ not in gone]
    assert not ranks or not stay or ranks[-1] < min(stay)


@given(sessions, displaces)
def test_nothing_is_too_many_without_a_limit(live, displace):
    assert excess(live, limit=None, displace=displace) == ()


def test_an_adopted_session_counts_as_older_than_every_recorded_one():
    adopted = replace(LAST_IN, adopted=True)
    live = [FIRST_IN, LEAST_ACTIVE, adopted]
    assert excess(live, limit=2, displace=Displace.OLDEST) == (adopted.id,)
    # Its last activity is known as well as that of any other session.
    assert excess(live, limit=2, displace=Displace.LEAST_RECENT) == (LEAST_ACTIVE.id,)


def test_a_tie_is_broken_by_id():
    twins = [session(8), session(7)]
    for displace in (Displace.LEAST_RECENT, Displace.OLDEST):
        assert excess(twins, limit=1, displace=displace) == (UUID(int=7),)


@given(sessions, any_limit, st.data())
def test_a_choice_ends_what_was_chosen_and_only_where_it_has_to(live, limit, data):
    chosen = data.draw(st.sets(st.sampled_from(live)) if live else st.just(set()))
    ids = {one.id for one in chosen}
    decision = decide_choice(live, limit=limit, chosen=ids)
    free = limit is None or len(live) < limit
    if free:
        assert decision == Decision(admitted=True)
    elif len(live) - len(ids) < limit:
        assert decision.admitted
        assert set(decision.ended) == ids
    else:
        assert decision == Decision(admitted=False, exceeded=True)


@given(sessions, any_limit, st.data())
def test_a_swap_ends_the_chosen_one_and_what_is_too_many(live, limit, data):
    chosen = data.draw(st.sampled_from([*live, session(10_000)]))
    decision = decide_swap(live, limit=limit, chosen=chosen.id)
    if limit is None or len(live) < limit:
        assert decision == Decision(admitted=True)
    elif chosen.id not in {one.id for one in live}:
        assert decision == Decision(admitted=False, exceeded=True)
    else:
        assert decision.ended[0] == chosen.id
        assert len(live) - len(set(decision.ended)) == limit - 1
        staying = [one for one in live if one.id not in decision.ended]
        gone = [one for one in live if one.id in decision.ended[1:]]
        oldest_first = excess(
            [*gone, *staying], limit=len(staying), displace=Displace.OLDEST
        )
        assert decision.ended[1:] == oldest_first


@given(sessions, any_limit)
def test_choosing_everybody_ends_everybody(live, limit):
    decision = decide_choice(live, limit=limit, chosen=None)
    assert decision.admitted
    assert set(decision.ended) == {one.id for one in live}


@given(sessions, limits, displaces)
def test_asking_ends_nobody_by_itself(live, limit, displace):
    decision = decide(live, limit=limit, at_limit=AtLimit.ASK, displace=displace)
    assert decision.ended == ()
    assert decision.admitted == (len(live) < limit)
