"""
Let one browser send requests without pause while another signs in to its account.

``judge`` defines what must hold. A trial takes about a fifth of a second.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from tests.finality.browsers import Door, Tabs
from tests.finality.judge import Trial

TABS = 4
# In seconds: how long the loser is alone at most, and how long it continues after.
BEFORE = 0.04
AFTER = 0.03
# In milliseconds: how long a view waits at most between reading the user and acting.
PAUSE = 10
ATTEMPTS = 5

# What the loser's tabs do. Trials take turns.
HABITS = {
    "reads": ["whoami"],
    "writes": ["whoami", "write", "write"],
    "changes of password": ["whoami", "write", "change-password"],
    "new keys": ["whoami", "write", "rotate"],
    "signing out and in": ["whoami", "write", "rotate", "sign-out", "sign-in"],
}


class SignIns:
    """Make the loser's sign-ins finish before the winner's begins."""

    def __init__(self) -> None:
        self.allowed = True
        self._under_way = 0
        self._changed = threading.Condition()

    @contextmanager
    def one(self) -> Iterator[bool]:
        with self._changed:
            allowed = self.allowed
            self._under_way += allowed
        try:
            yield allowed
        finally:
            with self._changed:
                self._under_way -= allowed
                self._changed.notify_all()

    def stop(self) -> None:
        """Allow no more sign-ins, and wait for those that are under way."""
        with self._changed:
            self.allowed = False
            self._changed.wait_for(lambda: not self._under_way)


@dataclass(frozen=True, slots=True)
class Loser:
    """The browser that sends requests without pause, through every door."""

    browser: Tabs
    doors: Sequence[Door]
    username: str
    habits: Sequence[str]
    sign_ins: SignIns
    stop: threading.Event

    def hammer(self, seed: int) -> None:
        """Send the requests of one tab until the trial stops it."""
        draw = random.Random(seed)
        while not self.stop.is_set():
            door = draw.choice(self.doors)
            what = draw.choice(self.habits)
            if self.browser.cookie is None and self.sign_ins.allowed:
                what = "sign-in"
            if what == "sign-in":
                self.sign_in(door)
                continue
            # Sometimes with an older cookie, and always if the browser has none.
            copies = self.browser.copies
            use_copy = self.browser.cookie is None or draw.random() < 0.2
            copy = draw.choice(copies) if copies and use_copy else None
            pause = str(draw.choice([0, draw.randrange(PAUSE)]))
            self.browser.ask(door, what, {"pause": pause}, copy=copy)

    def sign_in(self, door: Door) -> None:
        with self.sign_ins.one() as allowed:
            if allowed:
                self.browser.ask(door, "sign-in", {"username": self.username})

    def replay(self) -> None:
        """Try every cookie that a server ever set, then sign out."""
        doors = itertools.cycle(self.doors)

        def try_one(copy: str) -> None:
            self.browser.ask(next(doors), "whoami", copy=copy)

        copies = self.browser.copies.copy()
        with ThreadPoolExecutor(TABS) as tabs:
            list(tabs.map(try_one, copies))
        for copy in copies[-1:]:
            self.browser.ask(self.doors[0], "sign-out", copy=copy)


def _sign_in(browser: Tabs, door: Door, username: str) -> None:
    """Sign in, and repeat that if the answer asks for it."""
    for _ in range(ATTEMPTS):
        asked = browser.ask(door, "sign-in", {"username": username})
        if asked.answer.status != 503:
            return


def trial(
    doors: Sequence[Door],
    username: str,
    habits: Sequence[str],
    credentials: Callable[[str], str],
    seed: int,
) -> Trial:
    draw = random.Random(seed)
    browser, winner = Tabs(), Tabs()
    sign_ins, stop = SignIns(), threading.Event()
    loser = Loser(browser, doors, username, habits, sign_ins, stop)
    loser.sign_in(draw.choice(doors))
    with ThreadPoolExecutor(TABS) as tabs:
        hammering = [tabs.submit(loser.hammer, draw.random()) for _ in range(TABS)]
        try:
            time.sleep(draw.random() * BEFORE)
            sign_ins.stop()
            _sign_in(winner, draw.choice(doors), username)
            signed_in = list(winner.asked)
            until = time.monotonic() + AFTER
            while time.monotonic() < until:
                winner.ask(draw.choice(doors), "whoami")
        finally:
            stop.set()
    for each in hammering:
        each.result()
    loser.replay()
    for door in doors:
        winner.ask(door, "whoami")
    return Trial(
        username=username,
        loser=browser.asked,
        sign_ins=signed_in,
        winner=winner.asked[len(signed_in) :],
        credentials=credentials(username),
    )
