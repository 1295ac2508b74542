"""
Determine when each session is known to have ended.

The time may be later than the ending, but never earlier.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.history.history import OK

if TYPE_CHECKING:
    from tests.history.history import History, Operation


@dataclass(slots=True)
class Endings:
    """
    The endings in a history.

    ``known`` has, for each ended session, the first moment at which its ending is
    certain: an operation that ended it was acknowledged, or a committed state without
    it was read. ``why`` says which. ``acknowledged`` has those of them that an answer
    acknowledged. ``undone`` describes endings that were undone.
    """

    known: dict[str, float] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    acknowledged: dict[str, float] = field(default_factory=dict)
    undone: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, history: History) -> Endings:
        endings = cls()
        endings._acknowledged(history)
        endings._password_changes(history)
        endings.acknowledged = dict(endings.known)
        endings._observed(history)
        return endings

    def _learn(self, session: str, at: float, why: str) -> None:
        if session and at < self.known.get(session, float("inf")):
            self.known[session], self.why[session] = at, why

    def _acknowledged(self, history: History) -> None:
        signed_in: dict[str, float] = {}
        for each in history.operations:
            if each.outcome != OK:
                continue
            if each.kind == "sign_out":
                self._learn(each.session, each.completed, "signed out")
            if each.kind == "sign_in":
                signed_in.setdefault(each.session, each.completed)
            for session in each.ended:
                self._learn(session, each.completed, each.kind)
        for row in history.rows:
            # The transaction that admitted the other session ended this one.
            if row.by_session in signed_in:
                self._learn(row.session, signed_in[row.by_session], "displaced")

    def _password_changes(self, history: History) -> None:
        """
        Learn the endings that password changes caused.

        A password change ends the account's other sessions, except those that signed in
        or changed a password at the same time.
        """
        by_user: dict[str, list[Operation]] = defaultdict(list)
        for each in history.operations:
            if each.kind in {"sign_in", "password"}:
                by_user[each.user].append(each)
        for changes in by_user.values():
            for change in changes:
                if change.kind != "password" or change.outcome != OK:
                    continue
                since = change.invoked
                before = {e.session for e in changes if e.completed < since}
                meanwhile = {
                    session
                    for e in changes
                    # An operation without an answer may continue for a long time.
                    if e.completed >= since or e.is_undecided
                    for session in (e.session, e.presented)
                }
                for session in before - meanwhile:
                    self._learn(session, change.completed, "password changed")

    def _observed(self, history: History) -> None:
        crashes = [f.ended for f in history.faults if f.kind == "restart_database"]
        left: dict[str, float] = {}
        for seen in history.observations:
            for session in seen.live:
                at = left.pop(session, None)
                told = self.acknowledged.get(session)
                if told is not None and told < seen.began:
                    self.undone.append(
                        f"{seen.began:.3f}: session {session} is live, and its end was"
                        f" acknowledged by {told:.3f}"
                    )
                # A crash may undo a commit that was not acknowledged to anyone.
                elif at is not None and not any(at < c <= seen.ended for c in crashes):
                    self.undone.append(
                        f"{seen.began:.3f}: session {session} is live again; it had"
                        f" ended by {at:.3f}"
                    )
            for session in seen.left:
                left[session] = seen.ended
        for session, at in left.items():
            self._learn(session, at, "seen")
