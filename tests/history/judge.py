"""
Judge a history: take its records, and return objections. Uses no clock and no network.

If the outcome of an operation is not known, it may have taken effect or not. The judge
objects only if neither explains what was seen.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from tests.history.endings import Endings
from tests.history.history import OK
from tests.history.told import not_told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.history.history import History, Operation, Row


# Seconds for which a play counts without being renewed.
LEASE = 30.0


@dataclass(frozen=True, slots=True)
class Objection:
    """A rule that a history breaks, and how it does so."""

    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.text}"


def objections(history: History) -> list[Objection]:
    """Return all violations of the rules in ``history``."""
    endings = Endings.of(history)
    rules = {
        "something happened": nothing_happened(history),
        "cap": cap(history),
        "play cap": play_cap(history),
        "finality": finality(history, endings),
        "play finality": play_finality(history),
        "the newer session stays": newer_stays(history),
        "no ending without a reason": reasons(history, endings),
        "told in time": not_told(history, endings),
    }
    return [Objection(rule, text) for rule, found in rules.items() for text in found]


def nothing_happened(history: History) -> Iterator[str]:
    """Object if no one signed in or was connected, or if no state was read."""
    done = {each.kind for each in history.operations if each.outcome == OK}
    if "sign_in" not in done:
        yield "nobody signed in"
    if not history.observations:
        yield "no committed state was read"
    if not any(each.opened is not None for each in history.connections):
        yield "nobody was connected"


def cap(history: History) -> Iterator[str]:
    """Object if a committed state has more live sessions than an account's limit."""
    live: dict[str, str] = {}
    limits: dict[str, int | None] = {}
    excess: dict[str, int] = {}
    for seen in history.observations:
        live.update(seen.live)
        for session in seen.left:
            live.pop(session, None)
        limits.update(seen.limits)
        last, excess = excess, {}
        for user, count in Counter(live.values()).items():
            limit = limits.get(user)
            if count > (most := history.run.limit if limit is None else limit):
                excess[user] = count
                # Object once for as long as the number stays.
                if last.get(user) != count:
                    yield f"{seen.ended:.3f}: user {user} has {count} of {most} live"


def play_cap(history: History) -> Iterator[str]:
    """Object if a committed state has more plays of an account than its limit."""
    playing: dict[str, str] = {}
    for seen in history.observations:
        playing.update(seen.playing)
        for play in seen.stopped:
            playing.pop(play, None)
        for user, count in Counter(playing.values()).items():
            if count > history.run.play_limit:
                yield f"{seen.ended:.3f}: user {user} has {count} plays"


def finality(history: History, endings: Endings) -> Iterator[str]:
    """
    Object if an ended session authenticates, or if an ending is undone.

    Only requests that were sent after the ending was known count.
    """
    for each in history.operations:
        session = each.session or each.presented
        if each.outcome == OK and session and each.kind not in {"limit", "revoke"}:
            known = endings.known.get(session)
            if known is not None and each.invoked > known:
                yield (
                    f"{each.invoked:.3f}: {each.kind} at server {each.server} went by"
                    f" session {session}, ended by {known:.3f} ({endings.why[session]})"
                )
            if each.kind != "sign_in" and each.presented not in {"", session}:
                yield (
                    f"{each.invoked:.3f}: the cookie of session {each.presented}"
                    f" authenticated session {session}"
                )
    for held in history.connections:
        known = endings.known.get(held.session)
        if held.opened is not None and known is not None and held.invoked > known:
            yield (
                f"{held.opened:.3f}: a {held.kind} opened at server {held.server} for"
                f" session {held.session}, ended by {known:.3f}"
            )
    yield from endings.undone
    for row in history.rows:
        known = endings.acknowledged.get(row.session)
        if not row.ended and known is not None:
            yield f"session {row.session} is live; its end was answered by {known:.3f}"


def play_finality(history: History) -> Iterator[str]:
    """Object if a play was renewed after it was stopped or no longer counted."""
    over: dict[str, float] = {}
    for seen in history.observations:
        for play in seen.stopped:
            over.setdefault(play, seen.ended)
        for play in seen.playing:
            # It counts again, because a renewal was under way.
            over.pop(play, None)
    for each in history.operations:
        if each.kind == "stop_play" and each.outcome == OK:
            over[each.play] = min(each.completed, over.get(each.play, each.completed))
    for each in history.operations:
        known = over.get(each.play, inf)
        if each.kind == "renew" and each.outcome == OK and each.invoked > known:
            yield f"{each.invoked:.3f}: renewed {each.play}, over by {known:.3f}"


def newer_stays(history: History) -> Iterator[str]:
    """Object if an older session, or one of another account, displaced a session."""
    rows = {row.session: row for row in history.rows}
    signed_in: dict[str, tuple[float, float]] = {}
    for each in history.operations:
        if each.kind == "sign_in" and each.outcome == OK:
            signed_in.setdefault(each.session, (each.invoked, each.completed))
    for row in history.rows:
        if row.reason != "displaced":
            continue
        newer = rows.get(row.by_session)
        if newer is None or newer.user != row.user or newer is row:
            yield f"session {row.session} was displaced by {row.by_session or 'nobody'}"
            continue
        own, other = signed_in.get(row.session), signed_in.get(newer.session)
        is_older = own is not None and other is not None and other[1] < own[0]
        if is_older or newer.by_session == row.session:
            yield f"session {row.session} was displaced by the older {newer.session}"


def reasons(history: History, endings: Endings) -> Iterator[str]:
    """Object to an ending without a reason, or with one that no operation explains."""
    done: dict[tuple[str, str], list[Operation]] = defaultdict(list)
    for each in history.operations:
        if each.may_have_happened:
            done[each.kind, each.user].append(each)
    for row in history.rows:
        if row.ended and not _is_explained(row, done, endings):
            known = endings.known.get(row.session)
            at = "never seen" if known is None else f"ended by {known:.3f}"
            yield f"session {row.session} ({at}): {row.reason or 'no reason'!r}"
    yield from lapsed_too_early(history)
    known_plays = {play.play: play for play in history.plays}
    for play in history.plays:
        by = known_plays.get(play.by_play)
        displaced = play.reason == "displaced"
        if play.ended and (not play.reason or (displaced and by is None)):
            yield f"play {play.play}: {play.reason or 'no reason'!r}"
        if by is not None and by.user != play.user:
            yield f"play {play.play} was displaced by another account's {by.play}"


def lapsed_too_early(history: History) -> Iterator[str]:
    """Object to a play that is recorded as lapsed but ended within its lease."""
    stopped: dict[str, float] = {}
    for seen in history.observations:
        stopped.update(dict.fromkeys(seen.stopped, seen.ended))
    renewed: dict[str, float] = {}
    for each in history.operations:
        if each.kind in {"start_play", "renew"} and each.outcome == OK:
            renewed[each.play] = max(each.invoked, renewed.get(each.play, 0.0))
    for play in history.plays:
        took = stopped.get(play.play, inf) - renewed.get(play.play, 0.0)
        if play.reason == "lapsed" and took < LEASE:
            yield f"play {play.play} lapsed {took:.1f} s after it was renewed"


# The operations that cause each reason, on the session or on its account.
CAUSES = {
    "signed_out": ("sign_out",),
    "displaced": ("sign_in",),
    "revoked": ("revoke",),
    "limit_lowered": ("limit",),
    "password_changed": ("password",),
    "credentials_changed": ("password",),
    # A process was killed before it had stored the session.
    "expired": ("sign_in", "password"),
}
OF_ONE_SESSION = {"signed_out", "revoked"}


def _is_explained(
    row: Row, done: dict[tuple[str, str], list[Operation]], endings: Endings
) -> bool:
    """Return whether an operation before the known ending explains its reason."""
    known = endings.known.get(row.session, inf)
    return any(
        each.invoked <= known
        and (row.reason not in OF_ONE_SESSION or each.presented in {"", row.session})
        and (row.reason != "expired" or each.is_undecided)
        for kind in CAUSES.get(row.reason, ())
        for each in done[kind, row.user]
    )
