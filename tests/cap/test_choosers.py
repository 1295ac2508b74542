"""
Test eight people at the limit of one account who choose at the same moment.

No committed state has more live sessions than the limit, and a browser that was not
admitted is not signed in.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.cap.browsers import Answer, Browser
from tests.cap.databases import Database
from tests.cap.harness import settings
from tests.cap.judge import Combination, retryable
from tests.cap.observer import Observer
from tests.cap.servers import Server, serve
from tests.cap.test_cap import SERVICES, migrated

__all__ = ["migrated"]

CHOOSERS = 8
CHOOSE = "/account/sessions/choose/"
COMBINATIONS = [
    Combination(*cell, "wsgi", "sync", at_limit="ask")
    for cell in (
        ("sqlite", "deferred", False),
        ("sqlite", "immediate", True),
        ("postgresql", "read committed", False),
        ("postgresql", "repeatable read", True),
        ("mariadb", "repeatable read", False),
        ("mariadb", "read committed", True),
    )
]


def ask(browser: Browser, username: str) -> dict[str, object]:
    answer = browser.request("POST", "/sync/sign-in/", {"username": username})
    assert answer.status == 409, answer
    return answer.data


def choose(
    browser: Browser, form: dict[str, str], release: threading.Barrier
) -> Answer:
    return browser.request("POST", CHOOSE, form, release=release)


@pytest.mark.parametrize(
    "combination",
    [
        pytest.param(each, id=str(each), marks=SERVICES[each.database])
        for each in COMBINATIONS
    ],
)
def test_eight_choosers(
    combination: Combination, migrated: Callable[[Combination], Database]
) -> None:
    database = migrated(combination)
    with serve(combination.server, settings(combination, database)) as server:
        admitted = play(database, server, everybody=False)
        assert admitted == 1
        assert play(database, server, everybody=True) >= 1


def play(database: Database, server: Server, *, everybody: bool) -> int:
    """
    Let eight browsers choose at once to end the account's session, or ``everybody``.

    Return how many of them were admitted, one after another.
    """
    [(user, username)] = database.create_users(1)
    first = Browser(server.port)
    first.request("POST", "/sync/sign-in/", {"username": username})
    browsers = [Browser(server.port) for _ in range(CHOOSERS)]
    asked = [ask(browser, username) for browser in browsers]
    [rival] = {each["id"] for one in asked for each in one["sessions"]}
    end = "all" if everybody else rival
    forms = [{"choice": str(one["choice"]), "end": end} for one in asked]
    release = threading.Barrier(CHOOSERS)
    with (
        Observer(database, "session_limit", user) as observer,
        ThreadPoolExecutor(CHOOSERS) as threads,
    ):
        answers = list(threads.map(choose, browsers, forms, [release] * CHOOSERS))
    assert observer.error is None
    assert (observer.most, observer.last) == (1, 1), server.log.read_text()
    others = [answer for answer in answers if answer.status != 200]
    for answer in others:
        # Each of the others has to choose again, has to try again, or was admitted and
        # then displaced by the next.
        is_displaced = answer.data.get("reason") == "displaced"
        assert answer.status == 409 or retryable(answer) or (everybody and is_displaced)
    tried = [browser.request("GET", "/sync/whoami/") for browser in [first, *browsers]]
    assert [answer.status for answer in tried].count(200) == 1
    assert tried[0].status == 401
    return len(answers) - len(others)
