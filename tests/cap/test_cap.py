"""
However many sign in at once, no committed state has more live sessions than the limit.

The matrix, moderately; ``python -m tests.cap`` runs all of it, with more rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.cap import databases, matrix
from tests.cap.browsers import Answer, Browser, SignIn, overlap
from tests.cap.harness import measure, migrate, run, settings
from tests.cap.judge import Combination, Round, Situation, objections
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
    """One database of each kind, made for the first combination that asks for it."""
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
        pytest.param(
            each,
            id=str(each),
            marks=SERVICES[each.database],
        )
        for each in matrix.moderate()
    ],
)
def test_cap(combination: Combination, migrated: Databases) -> None:
    results, log = run(combination, migrated(combination), PLAN)
    for result in results:
        assert not result.violations, f"{result.violations}\n{log}"
        assert result.samples > 0
        # The sign-ins were at once, and in several processes.
        assert result.overlap >= 2
        assert 2 <= result.processes <= PROCESSES


def test_the_harness_finds_what_is_wrong_with_the_recipe(migrated: Databases) -> None:
    """By the observer, by trying the cookies, by the answers and by the log."""
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
    pytest.fail(f"In twenty rounds nothing was found like: {missing}")


# What the judge says of rounds that are made up: of a right one nothing.

USER = Answer(200, {"user": "ann"})
NOBODY = Answer(401, {"code": "session_ended"})
REFUSED = Answer(403)
RETRYABLE = Answer(503, retry_after="1")
DISPLACE = Combination("postgresql", "read committed", False, "wsgi", "sync")
DENY = Combination("mariadb", "read committed", False, "wsgi", "sync", 1, "deny")
EXCUSED = Combination("postgresql", "repeatable read", True, "wsgi", "sync")


def signed_in(cookie: str, next_page: Answer = USER) -> SignIn:
    return SignIn(Browser(0), Answer(200, {"user": "ann"}, cookie), next_page)


def turned_away(answer: Answer, next_page: Answer = NOBODY) -> SignIn:
    return SignIn(Browser(0), answer, next_page)


def seen(
    race: list[SignIn],
    tried: dict[str, Answer],
    *,
    others: list[SignIn] | None = None,
    existing: list[SignIn] | None = None,
    retried: list[SignIn] | None = None,
    again: Answer = USER,
    most_live: int = 1,
    finally_live: int = 1,
) -> Round:
    return Round(
        situation=Situation(len(race), "nothing", len(existing or [])),
        others=others or [],
        existing=existing or [],
        race=race,
        retried=retried or [],
        samples=1,
        most_live=most_live,
        finally_live=finally_live,
        tried=tried,
        tried_again={key: again for key, answer in tried.items() if answer is USER},
        username="ann",
    )


A, B = signed_in("a", NOBODY), signed_in("b")


@pytest.mark.parametrize(
    ("combination", "round_", "objection"),
    [
        (DISPLACE, seen([A, B], {"a": NOBODY, "b": USER}), None),
        (DISPLACE, seen([B, turned_away(NOBODY)], {"b": USER}), None),
        (DENY, seen([B, turned_away(REFUSED)], {"b": USER}), None),
        (DENY, seen([turned_away(REFUSED)], {"b": USER}, existing=[B]), None),
        (
            EXCUSED,
            seen([A, turned_away(RETRYABLE)], {"a": NOBODY, "b": USER}, retried=[B]),
            None,
        ),
        (
            DISPLACE,
            seen([A, B], {"a": NOBODY, "b": USER}, most_live=2),
            "2 live sessions were committed",
        ),
        (
            DISPLACE,
            seen([A, B], {"a": USER, "b": USER}, finally_live=2),
            "2 cookies authenticate, the limit is 1",
        ),
        (
            DISPLACE,
            seen([A, B], {"a": NOBODY, "b": NOBODY}, finally_live=0),
            "0 cookies authenticate, the limit is 1",
        ),
        (
            DISPLACE,
            seen([A, B], {"a": NOBODY, "b": USER}, finally_live=0),
            "1 cookies for 0 live sessions",
        ),
        (
            DISPLACE,
            seen([A, turned_away(NOBODY)], {"a": NOBODY, "b": USER}),
            "no successful sign-in handed out",
        ),
        (
            DISPLACE,
            seen([A, B], {"a": NOBODY, "b": USER}, again=NOBODY),
            "was then ended",
        ),
        (
            DISPLACE,
            seen([B, turned_away(Answer(400))], {"b": USER}),
            "a sign-in was answered 400",
        ),
        (
            DISPLACE,
            seen([B, turned_away(RETRYABLE)], {"b": USER}),
            "a sign-in was answered 503",
        ),
        (
            DISPLACE,
            seen([B, turned_away(Answer(401))], {"b": USER}),
            "was not told why",
        ),
        (
            DISPLACE,
            seen([B, turned_away(NOBODY, USER)], {"b": USER}),
            "signed in by an answer 401",
        ),
        (
            DISPLACE,
            seen([A, B], {"a": Answer(500), "b": USER}),
            "a cookie was answered 500",
        ),
        (
            DENY,
            seen([A, B], {"a": NOBODY, "b": USER}),
            "2 sign-ins were admitted to 1 places",
        ),
        (DENY, seen([A], {"b": USER}), "admitted, and on the next page 401"),
        (
            DISPLACE,
            seen([signed_in("b", BOB)], {"b": USER}),
            "admitted, and on the next page 200 {'user': 'bob'}",
        ),
        (
            DISPLACE,
            seen([signed_in("b", Answer(500))], {"b": USER}),
            "after 200, the next page was answered 500",
        ),
        (
            DENY,
            seen([turned_away(REFUSED)], {"b": USER}, existing=[A, B]),
            "without rivals",
        ),
        (
            DISPLACE,
            seen([B], {"b": USER}, others=[turned_away(RETRYABLE)]),
            "without rivals",
        ),
        (
            DISPLACE,
            seen([B], {"b": USER, "c": BOB}, others=[SignIn(B.browser, *2 * [C])]),
            "another user's session outlived",
        ),
        (
            EXCUSED,
            seen([B, turned_away(Answer(503))], {"b": USER}),
            "a sign-in was answered 503",
        ),
        (
            EXCUSED,
            seen([B, turned_away(Answer(500))], {"b": USER}),
            "a sign-in was answered 500",
        ),
        (
            EXCUSED,
            seen([B], {"b": USER}, retried=[turned_away(RETRYABLE)]),
            "a sign-in was answered 503",
        ),
    ],
)
def test_the_judge(
    combination: Combination, round_: Round, objection: str | None
) -> None:
    said = list(objections(combination, round_))
    if objection is None:
        assert said == []
    else:
        assert any(objection in each for each in said), said


def test_overlap_is_by_the_stamps() -> None:
    def inside(entered: int, left: int) -> Answer:
        return Answer(200, stamp=(entered, left, 1))

    assert overlap([inside(1, 5), inside(2, 4), inside(5, 9), Answer(503)]) == 2
