"""
Count the sessions that are left after many sign-ins to one account at the same moment.

All browsers connect first and wait for one barrier. Each opens a page as soon as it is
signed in (``tests.cap``). Then every cookie that a server set is tried, one after
another. Those that opened a page are tried again, because some contenders end the other
sessions only at the next request of the session that stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.cap.browsers import Answer, Browser, sign_in, sign_in_at_once
from tests.finality.browsers import Door
from tests.finality.judge import authenticated, errors_in
from tests.finality.results import Errors

# The number of sessions that the account has before.
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
    """Play one round, with ``at_once`` sign-ins to the account."""
    # The others displace it. It is not one of those at once.
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
    """Open a page with each cookie, in a browser without any other."""
    return [
        Browser(door.port, cookie).request("GET", door.whoami) for cookie in cookies
    ]
