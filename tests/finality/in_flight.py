"""
Test whether a request in flight brings its session back after the session has ended.

The request rotates its session's key. It is held after it has read the user, while
another browser, the winner, signs in to the same account. Then it continues.

The request changes the account's password, or only rotates the key, as a project does
after a second factor. A changed password also signs the winner out, by Django's own
rule, because the winner signed in with the old one. A rotated key must not.
"""

from __future__ import annotations

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.finality.browsers import Door, Tabs
from tests.finality.judge import authenticated, errors_in
from tests.finality.results import Errors

VIEWS = {"password": "change-password", "key": "rotate"}
PATIENCE = 20


@dataclass(frozen=True, slots=True)
class Round:
    change: str
    came_back: bool
    winner_ended: bool
    errors: Errors

    @property
    def violated(self) -> bool:
        must_stay = self.change == "key"
        lost = self.winner_ended and must_stay
        return self.came_back or lost or self.errors.count > 0


def play(door: Door, directory: Path, username: str, change: str) -> Round:
    """Play one round."""
    loser, winner = Tabs(), Tabs()
    loser.ask(door, "sign-in", {"username": username})
    gate = f"gate-{secrets.token_hex(6)}"
    with ThreadPoolExecutor(1) as thread:
        held = thread.submit(loser.ask, door, VIEWS[change], {"gate": gate})
        try:
            _wait_for(directory / f"{gate}.held")
            winner.ask(door, "sign-in", {"username": username})
            winner.ask(door, "whoami")
        finally:
            (directory / f"{gate}.open").touch()
        held.result()
    # Some contenders end the loser only at the winner's next request.
    winner.ask(door, "whoami")
    replayed = [loser.ask(door, "whoami", copy=copy) for copy in loser.copies]
    last = winner.ask(door, "whoami")
    return Round(
        change=change,
        came_back=any(authenticated(each.answer, username) for each in replayed),
        winner_ended=not authenticated(last.answer, username),
        errors=errors_in([each.answer for each in (*loser.asked, *winner.asked)]),
    )


def _wait_for(file: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not file.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"No request came to {file.name}.")
        time.sleep(0.002)
