"""Judge a round: take its facts, and yield an objection for each broken rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.cap.browsers import Answer, SignIn


@dataclass(frozen=True, slots=True)
class Combination:
    """What the harness serves, and on which database."""

    database: str
    isolation: str
    atomic_requests: bool
    server: str
    view: str
    limit: int = 1
    at_limit: str = "displace"
    package: str = "session_limit"
    # Whether Django's receiver updates the user's ``last_login``. Under
    # ``ATOMIC_REQUESTS``, that write locks the user's row before the package can, so
    # sign-ins queue there. Without it, as with user models that have no such field,
    # only the package's own lock is left.
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
        """Return whether Django rolls back the transaction of a refused sign-in."""
        return self.atomic_requests and self.view == "sync"

    @property
    def locks_gaps(self) -> bool:
        """
        Return whether accounts without a session can deadlock each other.

        Reading such an account locks the gap in the index, which its neighbours share.
        Two of them that sign in for the first time then deadlock.
        """
        return (
            self.database == "mariadb"
            and self.isolation == "repeatable read"
            and self.rolls_back
        )

    @property
    def may_fail_to_serialize(self) -> bool:
        """
        Return whether a sign-in may fail to serialize.

        Plain Django fails in this combination too. An async view runs outside the
        request's transaction, so it is not excused.
        """
        return (
            self.database == "postgresql"
            and self.isolation == "repeatable read"
            and self.rolls_back
        )


@dataclass(frozen=True, slots=True)
class Situation:
    """How many browsers sign in, and what sessions they and the account have."""

    sign_ins: int
    carrying: str  # each browser's session: "nothing", "anonymous" or "another user's"
    existing: int  # live sessions that the account already has


@dataclass(frozen=True, slots=True)
class Round:
    """The facts of one round."""

    situation: Situation
    others: list[SignIn]  # sign-ins of other users, each in one of the browsers
    existing: list[SignIn]
    race: list[SignIn]
    retried: list[SignIn]  # second attempts of those that got a 503, one after another
    samples: int
    most_live: int
    finally_live: int
    tried: Mapping[str, Answer]  # the answer to each cookie that was handed out
    tried_again: Mapping[str, Answer]  # a second answer to those that authenticated
    username: str

    def authenticates(self, answer: Answer) -> bool:
        return answer.status == 200 and answer.data.get("user") == self.username

    @property
    def answers(self) -> list[Answer]:
        sign_ins = [*self.others, *self.existing, *self.race, *self.retried]
        pairs = [each for one in sign_ins for each in (one.answer, one.next_page)]
        return [*pairs, *self.tried.values(), *self.tried_again.values()]


def objections(combination: Combination, seen: Round) -> Iterator[str]:
    """Yield a sentence for each rule that the round violates."""
    yield from _statuses(combination, seen)
    yield from _cap(combination, seen)
    yield from _admitted(combination, seen)
    yield from _others(seen)


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
    # A displaced browser learns of it even from the answer to its own sign-in.
    turned_away = {"displace": 401, "deny": 403}[combination.at_limit]
    if answer.status not in {200, turned_away} and not (excused and retryable(answer)):
        yield f"a sign-in was answered {_said(answer)}"
    if answer.status == 401 and answer.data.get("code") != "session_ended":
        yield f"a displaced sign-in was not told why: {_said(answer)}"
    if page.status not in {200, 401} and not (excused and retryable(page)):
        yield f"after {answer.status}, the next page was answered {_said(page)}"
    # An admitted browser may be displaced before its next page, except under "deny".
    if answer.status == 200:
        signed_in = page.status != 200 or seen.authenticates(page)
        if not signed_in or (turned_away == 403 and page.status == 401):
            yield f"admitted, and on the next page {_said(page)}"
    elif seen.authenticates(page):
        yield f"signed in by an answer {_said(answer)}"


def _others(seen: Round) -> Iterator[str]:
    """
    Judge what became of other users' sessions in the browsers.

    The session ends if another user signs in there, and stays if that sign-in is
    refused.
    """
    status = {id(one.browser): one.answer.status for one in [*seen.race, *seen.retried]}
    for other in seen.others:
        tried = seen.tried.get(other.answer.cookie or "")
        undone = status.get(id(other.browser)) == 403
        outlived = tried is not None and tried.status == 200
        if outlived and not undone:
            yield "another user's session outlived a sign-in in its browser"
        if undone and not outlived:
            yield "a sign-in that was undone ended another user's session"


def retryable(answer: Answer) -> bool:
    """Return whether the answer asks the client to try again."""
    return answer.status == 503 and answer.retry_after is not None


def _said(answer: Answer) -> str:
    return f"{answer.status} {answer.data or ''}".strip()
