"""Runs the experiments against one contender, and adds up what is found."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

from benchmarks.truth import at_once, in_flight
from benchmarks.truth.browsers import Door
from benchmarks.truth.deployment import (
    CIRCUMSTANCES,
    Circumstances,
    Deployment,
    Subject,
    deploy,
)
from benchmarks.truth.judge import Trial, Verdict, judge
from benchmarks.truth.results import AtOnce, Errors, InFlight, Row, UnderLoad
from benchmarks.truth.under_load import HABITS, trial


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of each. ``trials`` are of one engine, over all circumstances."""

    trials: int
    # So many rounds of so many sign-ins, through each of two doors.
    rounds: tuple[tuple[int, int], ...]
    held: int


QUICK = Plan(trials=40, rounds=((8, 5), (50, 1)), held=2)
# At least a thousand trials and ten thousand sign-ins at once.
FULL = Plan(trials=1000, rounds=((8, 320), (50, 50)), held=10)
# Enough to see how often something happens.
FULL_FOR_OTHERS = Plan(trials=100, rounds=((8, 10), (50, 2)), held=5)


@dataclass(frozen=True, slots=True)
class Found:
    """A row for the results, and what a reader of the log wants to see."""

    row: Row
    examples: list[str]
    log: str


def _whom(subject: Subject) -> dict[str, Any]:
    return {
        "contender": subject.contender,
        "engine": subject.engine,
        "database": subject.database,
    }


def _sum(errors: Iterable[Errors]) -> Errors:
    return reduce(add, errors, Errors())


def under_load(
    subject: Subject, plan: Plan, circumstances: Iterable[Circumstances] = CIRCUMSTANCES
) -> Iterator[Found]:
    circumstances = list(circumstances)
    trials = -(-plan.trials // len(circumstances))
    for each in circumstances:
        with deploy(subject, each) as deployment:
            yield _under_load(subject, each, deployment, trials)


def _under_load(
    subject: Subject, circumstances: Circumstances, deployment: Deployment, trials: int
) -> Found:
    began = time.monotonic()
    people = deployment.create_people(trials)
    seen: list[tuple[str, Trial, Verdict]] = []
    for seed, (username, habit) in enumerate(
        zip(people, itertools.cycle(HABITS), strict=False)
    ):
        one = trial(
            deployment.doors, username, HABITS[habit], deployment.credentials, seed
        )
        seen.append((habit, one, judge(one)))
    verdicts = [verdict for _, _, verdict in seen]
    row = UnderLoad(
        **_whom(subject),
        circumstances=circumstances.name,
        trials=trials,
        came_back=sum(bool(verdict.came_back) for verdict in verdicts),
        came_back_later=sum(bool(verdict.came_back_later) for verdict in verdicts),
        winner_ended=sum(verdict.winner_ended for verdict in verdicts),
        both_dead=sum(verdict.both_dead for verdict in verdicts),
        not_signed_in=sum(verdict.not_signed_in for verdict in verdicts),
        outdated=sum(verdict.outdated for verdict in verdicts),
        violated=sum(verdict.violated for verdict in verdicts),
        errors=_sum(verdict.errors for verdict in verdicts),
        requests=sum(
            len(one.loser) + len(one.sign_ins) + len(one.winner) for _, one, _ in seen
        ),
        sign_ins=sum(
            len(one.sign_ins) + sum(asked.what == "sign-in" for asked in one.loser)
            for _, one, _ in seen
        ),
        under_way=sum(verdict.under_way for verdict in verdicts),
        seconds=time.monotonic() - began,
    )
    examples = [f"{habit}: {verdict}" for habit, _, verdict in seen if verdict.violated]
    return Found(row, examples, deployment.log())


def signing_in(subject: Subject, plan: Plan) -> Iterator[Found]:
    """At once, and with a change in flight: on one deployment."""
    with deploy(subject, CIRCUMSTANCES[0]) as deployment:
        # Sync views under WSGI, async ones under ASGI.
        doors = deployment.doors[:2]
        for door, (number, rounds) in itertools.product(doors, plan.rounds):
            yield _at_once(subject, deployment, door, number, rounds)
        for door, change in itertools.product(doors, in_flight.VIEWS):
            yield _in_flight(subject, deployment, door, change, plan.held)


def _at_once(
    subject: Subject, deployment: Deployment, door: Door, number: int, rounds: int
) -> Found:
    began = time.monotonic()
    people = deployment.create_people(rounds)
    seen = [at_once.play(door, username, number) for username in people]
    row = AtOnce(
        **_whom(subject),
        view=door.view,
        at_once=number,
        rounds=rounds,
        sign_ins=sum(each.sign_ins for each in seen),
        let_in=_histogram(each.let_in for each in seen),
        stayed=_histogram(each.stayed for each in seen),
        violated=sum(each.violated for each in seen),
        errors=_sum(each.errors for each in seen),
        seconds=time.monotonic() - began,
    )
    return Found(row, _violated(seen), deployment.log())


def _in_flight(
    subject: Subject, deployment: Deployment, door: Door, change: str, rounds: int
) -> Found:
    began = time.monotonic()
    seen = [
        in_flight.play(door, deployment.directory, username, change)
        for username in deployment.create_people(rounds)
    ]
    row = InFlight(
        **_whom(subject),
        view=door.view,
        change=change,
        rounds=rounds,
        came_back=sum(each.came_back for each in seen),
        winner_ended=sum(each.winner_ended for each in seen),
        violated=sum(each.violated for each in seen),
        errors=_sum(each.errors for each in seen),
        seconds=time.monotonic() - began,
    )
    return Found(row, _violated(seen), deployment.log())


def _histogram(numbers: Iterable[int]) -> dict[str, int]:
    return {str(number): count for number, count in sorted(Counter(numbers).items())}


def _violated(rounds: Iterable[Any]) -> list[str]:
    return [str(each) for each in rounds if each.violated]


EXPERIMENTS = {"under_load": under_load, "signing_in": signing_in}
