"""
Let many browsers sign in to one account at once, and observe the database meanwhile.

Every round has an account of its own. Some browsers sign in before it, one after
another. A barrier releases the others, which sign in and open a page at once. An
observer samples the committed live sessions all the time. At the end, the harness tries
every cookie that the server handed out.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING

from tests.cap.browsers import (
    Answer,
    Browser,
    SignIn,
    overlap,
    sign_in,
    sign_in_at_once,
)
from tests.cap.judge import Combination, Round, Situation, objections
from tests.cap.observer import Observer
from tests.cap.servers import Server, environment, serve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tests.cap.databases import Database


@dataclass(frozen=True, slots=True)
class Result:
    """The results of all rounds of one combination with one number of sign-ins."""

    combination: Combination
    sign_ins: int  # at once
    rounds: int
    samples: int  # while the sign-ins ran
    most_live: int
    overlap: int  # simultaneous requests in the views, in the round with the fewest
    processes: int  # server processes that took part
    server_errors: int  # answers with a status of 5xx
    bad_requests: int  # answers with status 400
    violations: tuple[str, ...]
    seconds: float


def settings(combination: Combination, database: Database) -> dict[str, str]:
    """Return the environment variables that configure the project."""
    return {
        **database.environment(),
        "CAP_ISOLATION": combination.isolation,
        "CAP_ATOMIC_REQUESTS": str(int(combination.atomic_requests)),
        "CAP_PACKAGE": combination.package,
        "CAP_LAST_LOGIN": str(int(combination.last_login)),
        "SESSION_LIMIT": str(combination.limit),
        "SESSION_LIMIT_AT_LIMIT": combination.at_limit,
    }


def migrate(combination: Combination, database: Database) -> None:
    """Create the tables. Once is enough for all combinations of one package."""
    database.migrate(environment(settings(combination, database)))


def situations(limit: int, sign_ins: int) -> Iterator[Situation]:
    """Yield without end: browsers and accounts, each with and without sessions."""
    kinds = [
        ("anonymous", limit),
        ("nothing", 0),
        ("another user's", 1),
        ("nothing", limit),
    ]
    for carrying, existing in cycle(kinds):
        yield Situation(sign_ins, carrying, existing)


def play(
    combination: Combination, database: Database, server: Server, situation: Situation
) -> Round:
    """Run one round."""
    (user, username), *strangers = database.create_users(1 + situation.sign_ins)
    view = combination.view
    browsers = [Browser(server.port) for _ in strangers]
    others: list[SignIn] = []
    if situation.carrying == "anonymous":
        for browser in browsers:
            browser.request("GET", "/public/")
    elif situation.carrying == "another user's":
        others = [
            sign_in(browser, view, name)
            for browser, (_, name) in zip(browsers, strangers, strict=True)
        ]
    with Observer(database, combination.package, user) as observer:
        existing = [
            sign_in(Browser(server.port), view, username)
            for _ in range(situation.existing)
        ]
        started = time.monotonic()
        race = sign_in_at_once(browsers, view, [username] * len(browsers))
        ended = time.monotonic()
        retried = [
            sign_in(one.browser, view, username)
            for one in race
            if one.answer.status == 503
        ]
        everybody = [*browsers, *(one.browser for one in existing)]
        handed_out = [cookie for each in everybody for cookie in each.handed_out]
        tried = _try(server, handed_out)
        stayed = [cookie for cookie, answer in tried.items() if answer.status == 200]
        tried_again = _try(server, stayed)
    if observer.error is not None:
        raise observer.error
    return Round(
        situation=situation,
        others=others,
        existing=existing,
        race=race,
        retried=retried,
        samples=observer.between(started, ended),
        most_live=observer.most,
        finally_live=observer.last,
        tried=tried,
        tried_again=tried_again,
        username=username,
    )


def sign_in_strangers(
    combination: Combination, database: Database, server: Server, count: int
) -> tuple[list[SignIn], list[SignIn]]:
    """
    Let ``count`` new users sign in at once, and retry those that get a 503.

    Return the first sign-ins and the second ones.
    """
    usernames = [name for _, name in database.create_users(count)]
    browsers = [Browser(server.port) for _ in usernames]
    first = sign_in_at_once(browsers, combination.view, usernames)
    again = [
        sign_in(one.browser, combination.view, username)
        for one, username in zip(first, usernames, strict=True)
        if one.answer.status == 503
    ]
    return first, again


def _try(server: Server, cookies: Iterable[str]) -> dict[str, Answer]:
    """Try each cookie in a browser that has nothing else."""
    return {
        cookie: Browser(server.port, cookie).request("GET", "/sync/whoami/")
        for cookie in dict.fromkeys(cookies)
    }


def measure(
    combination: Combination,
    database: Database,
    server: Server,
    sign_ins: int,
    rounds: int,
) -> Result:
    """Run some rounds on a running server, and judge them."""
    began = time.monotonic()
    seen: list[Round] = []
    violations: list[str] = []
    errors_before, deadlocks_before = len(server.errors()), database.deadlocks()
    for situation in islice(situations(combination.limit, sign_ins), rounds):
        seen.append(play(combination, database, server, situation))
        violations += [
            f"round {len(seen)} ({situation}): {objection}"
            for objection in objections(combination, seen[-1])
        ]
    errors = server.errors()[errors_before:]
    if errors and not combination.may_fail_to_serialize:
        violations += [f"the server logged: {line}" for line in errors]
    if (deadlocks := database.deadlocks() - deadlocks_before) > 0:
        violations.append(f"the database saw {deadlocks} deadlocks")
    answers = [answer for each in seen for answer in each.answers]
    races = [[one.answer for one in each.race] for each in seen]
    stamps = [each.stamp for race in races for each in race if each.stamp]
    return Result(
        combination=combination,
        sign_ins=sign_ins,
        rounds=rounds,
        samples=sum(each.samples for each in seen),
        most_live=max(each.most_live for each in seen),
        overlap=min(overlap(race) for race in races),
        processes=len({process for _, _, process in stamps}),
        server_errors=sum(each.status >= 500 for each in answers),
        bad_requests=sum(each.status == 400 for each in answers),
        violations=tuple(violations),
        seconds=time.monotonic() - began,
    )


def run(
    combination: Combination,
    database: Database,
    plan: Sequence[tuple[int, int]],
) -> tuple[list[Result], str]:
    """
    Serve one combination, and measure it.

    ``plan`` has pairs of a number of simultaneous sign-ins and a number of rounds. The
    database must be migrated. Returns the results and the server's log.
    """
    with serve(combination.server, settings(combination, database)) as server:
        results = [
            measure(combination, database, server, sign_ins, rounds)
            for sign_ins, rounds in plan
        ]
        return results, server.log.read_text()
