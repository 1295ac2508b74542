"""Run the experiments with one contender, and add up what they find."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.finality import at_once, in_flight
from tests.finality.browsers import Door
from tests.finality.deployment import (
    CIRCUMSTANCES,
    Circumstances,
    Deployment,
    Subject,
    deploy,
)
from tests.finality.judge import judge
from tests.finality.results import AtOnce, Errors, InFlight, Row, UnderLoad
from tests.finality.under_load import HABITS, trial


@dataclass(frozen=True, slots=True)
class Plan:
    """
    How long the experiments are.

    Args:
        trials: The trials under load of one engine, over all circumstances.
        rounds: Pairs of how many sign-ins happen at once, and in how many rounds,
            through each of two doors.
        held: The rounds with a change in flight, through each of two doors.
    """

    trials: int
    rounds: tuple[tuple[int, int], ...]
    held: int


QUICK = Plan(trials=40, rounds=((8, 5), (50, 1)), held=2)
# At least a thousand trials, and ten thousand sign-ins at once.
FULL = Plan(trials=1000, rounds=((8, 320), (50, 50)), held=10)
# These show how often something happens with other packages.
FULL_FOR_OTHERS = Plan(trials=100, rounds=((8, 10), (50, 2)), held=5)


@dataclass(frozen=True, slots=True)
class Found:
    """A row of results, examples of violations, and the servers' log."""

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
    return sum(errors, start=Errors())


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
    people = deployment.create_people(trials)
    habits, verdicts = [], []
    for seed, (username, habit) in enumerate(
        zip(people, itertools.cycle(HABITS), strict=False)
    ):
        seen = trial(
            deployment.doors, username, HABITS[habit], deployment.credentials, seed
        )
        habits.append(habit)
        verdicts.append(judge(seen))
    row = UnderLoad(
        **_whom(subject),
        circumstances=circumstances.name,
        trials=trials,
        came_back=sum(bool(verdict.came_back) for verdict in verdicts),
        came_back_later=sum(bool(verdict.came_back_later) for verdict in verdicts),
        winner_ended=sum(verdict.winner_ended for verdict in verdicts),
        both_ended=sum(verdict.both_ended for verdict in verdicts),
        not_signed_in=sum(verdict.not_signed_in for verdict in verdicts),
        outdated=sum(verdict.outdated for verdict in verdicts),
        violated=sum(verdict.violated for verdict in verdicts),
        errors=_sum(verdict.errors for verdict in verdicts),
        under_way=sum(verdict.under_way for verdict in verdicts),
    )
    pairs = zip(habits, verdicts, strict=True)
    examples = [f"{habit}: {verdict}" for habit, verdict in pairs if verdict.violated]
    return Found(row, examples, deployment.log())


def signing_in(subject: Subject, plan: Plan) -> Iterator[Found]:
    """Run the experiments with sign-ins at once and with a change in flight."""
    with deploy(subject, CIRCUMSTANCES[0]) as deployment:
        # Sync views under WSGI and async views under ASGI.
        doors = deployment.doors[:2]
        for door, (number, rounds) in itertools.product(doors, plan.rounds):
            yield _at_once(subject, deployment, door, number, rounds)
        for door, change in itertools.product(doors, in_flight.VIEWS):
            yield _in_flight(subject, deployment, door, change, plan.held)


def _at_once(
    subject: Subject, deployment: Deployment, door: Door, number: int, rounds: int
) -> Found:
    people = deployment.create_people(rounds)
    seen = [at_once.play(door, username, number) for username in people]
    row = AtOnce(
        **_whom(subject),
        at_once=number,
        sign_ins=sum(each.sign_ins for each in seen),
        let_in=tuple(each.let_in for each in seen),
        stayed=tuple(each.stayed for each in seen),
        violated=sum(each.violated for each in seen),
        errors=_sum(each.errors for each in seen),
    )
    return Found(row, _violated(seen), deployment.log())


def _in_flight(
    subject: Subject, deployment: Deployment, door: Door, change: str, rounds: int
) -> Found:
    seen = [
        in_flight.play(door, deployment.directory, username, change)
        for username in deployment.create_people(rounds)
    ]
    row = InFlight(
        **_whom(subject),
        change=change,
        rounds=rounds,
        came_back=sum(each.came_back for each in seen),
        winner_ended=sum(each.winner_ended for each in seen),
        violated=sum(each.violated for each in seen),
        errors=_sum(each.errors for each in seen),
    )
    return Found(row, _violated(seen), deployment.log())


def _violated(rounds: Iterable[Any]) -> list[str]:
    return [str(each) for each in rounds if each.violated]


EXPERIMENTS = {"under_load": under_load, "signing_in": signing_in}
