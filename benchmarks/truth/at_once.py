"""
Many browsers sign in to one account at the same moment: how many sessions are left?

All are connected first, then released by one barrier, and open a page as soon as they
are signed in (``tests.cap``). Then every cookie that was handed out is tried, one after
another. Those that were let in are tried again: some contenders end the others only
with the next request of whoever is left.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.truth.browsers import Door
from benchmarks.truth.judge import authenticated, errors_in
from benchmarks.truth.results import Errors
from tests.cap.browsers import Answer, Browser, sign_in, sign_in_at_once

# Sessions that the account has before.
EXISTING = 1


@dataclass(frozen=True, slots=True)
class Round:
    sign_ins: int
    let_in: int
    stayed: int
    errors: Errors

    @property
    def violated(self) -> bool:
        return self.let_in != 1 or self.stayed != 1 or self.errors.count > 0


def play(door: Door, username: str, at_once: int) -> Round:
    """One round."""
    # Not counted among the sign-ins at once: it is displaced.
    first = [sign_in(Browser(door.port), door.view, username) for _ in range(EXISTING)]
    browsers = [Browser(door.port) for _ in range(at_once)]
    race = sign_in_at_once(browsers, door.view, [username] * at_once)
    signed_in = [*first, *race]
    handed_out = [cookie for one in signed_in for cookie in one.browser.handed_out]
    cookies = list(dict.fromkeys(handed_out))
    tried = _try(door, cookies)
    let_in = [
        cookie
        for cookie, answer in zip(cookies, tried, strict=True)
        if authenticated(answer, username)
    ]
    tried_again = _try(door, let_in)
    said = [answer for one in signed_in for answer in (one.answer, one.next_page)]
    return Round(
        sign_ins=len(signed_in),
        let_in=len(let_in),
        stayed=sum(authenticated(each, username) for each in tried_again),
        errors=errors_in([*said, *tried, *tried_again]),
    )


def _try(door: Door, cookies: Iterable[str]) -> list[Answer]:
    """Each in a browser that has nothing else."""
    return [
        Browser(door.port, cookie).request("GET", door.whoami) for cookie in cookies
    ]
