"""
Test that no committed state has more live sessions than the limit.

This runs the matrix moderately. ``python -m tests.cap`` runs all of it, with more
rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.cap import databases, matrix
from tests.cap.harness import measure, migrate, run, settings, sign_in_strangers
from tests.cap.judge import Combination, retryable
from tests.cap.servers import PROCESSES, serve

PLAN = [(8, 4), (50, 1)]
RECIPE = Combination("sqlite", "deferred", False, "wsgi", "sync", package="recipe")

SERVICES = {
    "sqlite": [],
    "postgresql": [pytest.mark.services("postgresql")],
    "mariadb": [pytest.mark.services("mariadb")],
}

Databases = Callable[[Combination], databases.Database]


@pytest.fixture(scope="module")
def migrated() -> Iterator[Databases]:
    """Create one database of each kind, for the first combination that needs it."""
    made: dict[tuple[str, str], databases.Database] = {}
    with ExitStack() as stack:

        def get(combination: Combination) -> databases.Database:
            key = combination.database, combination.package
            if key not in made:
                made[key] = stack.enter_context(databases.database(key[0]))
                migrate(combination, made[key])
            return made[key]

        yield get


@pytest.mark.parametrize(
    "combination",
    [
        pytest.param(each, id=str(each), marks=SERVICES[each.database])
        for each in matrix.moderate()
    ],
)
def test_cap(combination: Combination, migrated: Databases) -> None:
    results, log = run(combination, migrated(combination), PLAN)
    for result in results:
        assert not result.violations, f"{result.violations}\n{log}"
        assert result.samples > 0
        # The sign-ins ran at the same time, and in several processes.
        assert result.overlap >= 2
        assert 2 <= result.processes <= PROCESSES


def test_the_harness_finds_what_is_wrong_with_the_recipe(migrated: Databases) -> None:
    """The observer, the cookies, the answers and the log show the recipe's faults."""
    missing = {
        "live sessions were committed",
        "cookies authenticate",
        "was answered 500",
        "the server logged: ERROR",
    }
    database = migrated(RECIPE)
    with serve(RECIPE.server, settings(RECIPE, database)) as server:
        for _ in range(20):
            result = measure(RECIPE, database, server, sign_ins=8, rounds=1)
            missing -= {
                each
                for each in missing
                if any(each in violation for violation in result.violations)
            }
            if not missing:
                return
    pytest.fail(f"Twenty rounds showed no violation like: {missing}")


@pytest.mark.parametrize(
    "combination",
    [
        pytest.param(each, id=str(each), marks=SERVICES[each.database])
        for each in matrix.CELLS
    ],
)
def test_users_do_not_meet(combination: Combination, migrated: Databases) -> None:
    """First sign-ins of different users at the same moment do not affect each other."""
    database = migrated(combination)
    with serve(combination.server, settings(combination, database)) as server:
        deadlocks = database.deadlocks()
        for _ in range(2):
            first, again = sign_in_strangers(combination, database, server, 16)
            said = [one.answer for one in first]
            if combination.locks_gaps:
                assert all(each.status == 200 or retryable(each) for each in said)
            else:
                assert [each.status for each in said] == [200] * 16
            assert all(one.answer.status == 200 for one in again)
            stayed = [one for one in [*first, *again] if one.answer.status == 200]
            assert [one.next_page.status for one in stayed] == [200] * 16
        if not combination.locks_gaps:
            assert database.deadlocks() == deadlocks
            assert server.errors() == []
