"""What must hold of a round. Facts in, objections out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.cap.browsers import Answer, SignIn


@dataclass(frozen=True, slots=True)
class Combination:
    """What is served, and on what."""

    database: str
    isolation: str
    atomic_requests: bool
    server: str
    view: str
    limit: int = 1
    at_limit: str = "displace"
    package: str = "session_limit"
    # Whether Django's receiver writes the user's last_login. In the transaction of
    # ATOMIC_REQUESTS that puts the sign-ins in a queue before the package can: where
    # nothing writes it, as with user models that have none, the package is alone.
    last_login: bool = True

    @property
    def transactions(self) -> str:
        kind = "ATOMIC_REQUESTS" if self.atomic_requests else "autocommit"
        return kind if self.last_login else f"{kind} without last_login"

    def __str__(self) -> str:
        return (
            f"{self.package} {self.database} {self.isolation}, {self.transactions}, "
            f"{self.server} {self.view}, {self.at_limit} {self.limit}"
        )

    @property
    def rolls_back(self) -> bool:
        """Whether a refused sign-in is in a transaction that Django rolls back."""
        return self.atomic_requests and self.view == "sync"

    @property
    def locks_gaps(self) -> bool:
        """
        Whether an account without any session locks its neighbours out of the gap
        that it is read from: two of them, signing in for the first time, deadlock.
        """
        return (
            self.database == "mariadb"
            and self.isolation == "repeatable read"
            and self.rolls_back
        )

    @property
    def may_fail_to_serialize(self) -> bool:
        """
        The one that the package cannot help: plain Django fails there too.

        An async view runs outside the request's transaction, so it is not excused.
        """
        return (
            self.database == "postgresql"
            and self.isolation == "repeatable read"
            and self.rolls_back
        )


@dataclass(frozen=True, slots=True)
class Situation:
    """Who signs in: how many, from what browsers, into what account."""

    sign_ins: int
    carrying: str  # what each browser has: nothing, anonymous or another user's session
    existing: int  # live sessions that the user has already


@dataclass(frozen=True, slots=True)
class Round:
    """What was seen of one."""

    situation: Situation
    others: list[SignIn]  # of other users, each in one of the browsers
    existing: list[SignIn]
    race: list[SignIn]
    retried: list[SignIn]  # one after another, those that were answered 503
    samples: int
    most_live: int
    finally_live: int
    tried: Mapping[str, Answer]  # every cookie handed out
    tried_again: Mapping[str, Answer]  # those of them that authenticated
    username: str

    def authenticates(self, answer: Answer) -> bool:
        return answer.status == 200 and answer.data.get("user") == self.username

    @property
    def answers(self) -> list[Answer]:
        sign_ins = [*self.others, *self.existing, *self.race, *self.retried]
        pairs = [each for one in sign_ins for each in (one.answer, one.next_page)]
        return [*pairs, *self.tried.values(), *self.tried_again.values()]


def objections(combination: Combination, seen: Round) -> Iterator[str]:
    """Each thing that must not be, in words."""
    yield from _statuses(combination, seen)
    yield from _cap(combination, seen)
    yield from _admitted(combination, seen)
    yield from _others(combination, seen)


def _cap(combination: Combination, seen: Round) -> Iterator[str]:
    limit = combination.limit
    if seen.most_live > limit:
        yield f"{seen.most_live} live sessions were committed, the limit is {limit}"
    authenticated = {
        cookie for cookie, answer in seen.tried.items() if seen.authenticates(answer)
    }
    if len(authenticated) != limit:
        yield f"{len(authenticated)} cookies authenticate, the limit is {limit}"
    if len(authenticated) != seen.finally_live:
        yield f"{len(authenticated)} cookies for {seen.finally_live} live sessions"
    sign_ins = [*seen.existing, *seen.race, *seen.retried]
    admitted = {one.answer.cookie for one in sign_ins if one.answer.status == 200}
    if authenticated - admitted:
        yield "a cookie authenticates that no successful sign-in handed out"
    for cookie, answer in seen.tried_again.items():
        if (answer.status, answer.data) != (200, seen.tried[cookie].data):
            yield f"a session that had stayed was then ended: {_said(answer)}"


def _admitted(combination: Combination, seen: Round) -> Iterator[str]:
    places = combination.limit - len(seen.existing)
    admitted = sum(one.answer.status == 200 for one in [*seen.race, *seen.retried])
    if combination.at_limit == "deny" and admitted != places:
        yield f"{admitted} sign-ins were admitted to {places} places"


def _statuses(combination: Combination, seen: Round) -> Iterator[str]:
    for one in [*seen.others, *seen.existing]:
        if (one.answer.status, one.next_page.status) != (200, 200):
            yield f"without rivals: {_said(one.answer)}, {_said(one.next_page)}"
    for one in seen.race:
        excused = combination.may_fail_to_serialize
        yield from _signed_in(combination, seen, one, excused=excused)
    for one in seen.retried:
        yield from _signed_in(combination, seen, one, excused=False)
    for answer in seen.tried.values():
        if answer.status not in {200, 401}:
            yield f"a cookie was answered {_said(answer)}"


def _signed_in(
    combination: Combination, seen: Round, one: SignIn, *, excused: bool
) -> Iterator[str]:
    answer, page = one.answer, one.next_page
    # A displaced browser is told so, though its own response was not saved yet.
    turned_away = {"displace": 401, "deny": 403}[combination.at_limit]
    if answer.status not in {200, turned_away} and not (excused and retryable(answer)):
        yield f"a sign-in was answered {_said(answer)}"
    if answer.status == 401 and answer.data.get("code") != "session_ended":
        yield f"a displaced sign-in was not told why: {_said(answer)}"
    if page.status not in {200, 401} and not (excused and retryable(page)):
        yield f"after {answer.status}, the next page was answered {_said(page)}"
    # An admitted one may be displaced before its next page, but not under "deny".
    if answer.status == 200:
        signed_in = page.status != 200 or seen.authenticates(page)
        if not signed_in or (turned_away == 403 and page.status == 401):
            yield f"admitted, and on the next page {_said(page)}"
    elif seen.authenticates(page):
        yield f"signed in by an answer {_said(answer)}"


def _others(combination: Combination, seen: Round) -> Iterator[str]:
    """
    Django ends a browser's session when another user signs in there. A refused
    sign-in is undone with all that its request has done, where that rolls back.
    """
    last = {id(one.browser): one.answer for one in [*seen.race, *seen.retried]}
    for other in seen.others:
        tried = seen.tried.get(other.answer.cookie or "")
        undone = combination.rolls_back and last[id(other.browser)].status == 403
        outlived = tried is not None and tried.status == 200
        if outlived and not undone:
            yield "another user's session outlived a sign-in in its browser"
        if undone and not outlived:
            yield "a sign-in that was undone ended another user's session"


def retryable(answer: Answer) -> bool:
    """Whether the client is asked to try again."""
    return answer.status == 503 and answer.retry_after is not None


def _said(answer: Answer) -> str:
    return f"{answer.status} {answer.data or ''}".strip()
