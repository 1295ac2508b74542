"""
Test fifty devices of one account that press play at the same moment, on four processes.

No committed state has more plays than the limit, and exactly the admitted plays go on.
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
from tests.cap.servers import PROCESSES, Server, serve
from tests.cap.test_cap import SERVICES, migrated

__all__ = ["migrated"]

DEVICES, LIMIT = 50, 2
PLAYS = "/account/sessions/plays/"
COMBINATIONS = [
    Combination(*cell, "wsgi", "sync", limit=DEVICES)
    for cell in (
        ("sqlite", "deferred", False),
        ("postgresql", "read committed", False),
        ("postgresql", "repeatable read", True),
        ("mariadb", "repeatable read", False),
        ("mariadb", "read committed", True),
    )
]


def start(browser: Browser, release: threading.Barrier) -> Answer:
    return browser.request("POST", PLAYS, {"what": "film"}, release=release)


@pytest.mark.parametrize("at_limit", ["displace", "deny"])
@pytest.mark.parametrize(
    "combination",
    [
        pytest.param(each, id=str(each), marks=SERVICES[each.database])
        for each in COMBINATIONS
    ],
)
def test_fifty_press_play(
    combination: Combination,
    at_limit: str,
    migrated: Callable[[Combination], Database],
) -> None:
    database = migrated(combination)
    plays = {
        "SESSION_LIMIT_PLAYS": str(LIMIT),
        "SESSION_LIMIT_PLAYS_AT_LIMIT": at_limit,
    }
    with serve("wsgi", settings(combination, database) | plays) as server:
        play(database, server, at_limit)


def play(database: Database, server: Server, at_limit: str) -> None:
    [(user, username)] = database.create_users(1)
    browsers = [Browser(server.port) for _ in range(DEVICES)]
    for browser in browsers:
        answer = browser.request("POST", "/sync/sign-in/", {"username": username})
        assert answer.status == 200, server.log.read_text()
    release = threading.Barrier(DEVICES)
    with (
        Observer(database, "plays", user) as observer,
        ThreadPoolExecutor(DEVICES) as threads,
    ):
        answers = list(threads.map(start, browsers, [release] * DEVICES))
    assert observer.error is None
    log = server.log.read_text()
    assert (observer.most, observer.last) == (LIMIT, LIMIT), log
    served = {answer.stamp[2] for answer in answers if answer.stamp}
    assert 2 <= len(served) <= PROCESSES
    for answer in answers:
        assert answer.status in {200, 409} or retryable(answer), (answer, log)
    admitted = [
        (browser, answer.data["play"])
        for browser, answer in zip(browsers, answers, strict=True)
        if answer.status == 200
    ]
    if at_limit == "deny":
        assert len(admitted) == LIMIT
    # Every admitted play that was not displaced can be renewed.
    renewed = [
        browser.request("POST", f"{PLAYS}{id}/renew/").status
        for browser, id in admitted
    ]
    assert renewed.count(200) == LIMIT
    assert set(renewed) <= {200, 410}
