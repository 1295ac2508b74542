"""Define the outcomes of attempts to sign in and to start a play."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from session_limit.models import Play
from session_limit.policy import AtLimit
from session_limit.registry.pending import Rivals
from session_limit.store.liveness import Row


@dataclass(frozen=True, slots=True)
class Admission:
    """
    The outcome of an attempt to sign in.

    ``row`` is the session's database row, or ``None`` if the sign-in was refused.
    ``limit`` is the session limit of ``scope`` (the sessions that one limit covers).
    ``at_limit`` says what happens to sign-ins beyond the limit. ``rivals`` are the
    sessions that prevented an admission. ``is_too_late`` says that the user's choice of
    sessions to end had already been used or withdrawn.
    """

    row: Row | None
    scope: str
    limit: int | None = None
    at_limit: AtLimit | None = None
    rivals: Rivals = Rivals()  # noqa: RUF009 it is frozen
    is_too_late: bool = False

    @property
    def id(self) -> UUID | None:
        """The id of the session's row, or ``None`` if the sign-in was refused."""
        return None if self.row is None else self.row.id


@dataclass(frozen=True, slots=True)
class PlayStart:
    """
    The outcome of an attempt to start a play (one playback of limited content).

    ``play`` is ``None`` if the start was refused. If an earlier start used the same
    key, ``play`` is the play of that start, which may have ended. ``limit`` is the
    limit of ``scope`` (the plays that one limit covers). ``at_limit`` says what happens
    to plays beyond the limit. ``rivals`` are the plays that prevented a start.
    ``retry_after`` is the time to wait if plays have displaced one another too often.
    ``is_too_late`` says that the session has ended.
    """

    play: Play | None
    scope: str
    limit: int | None = None
    at_limit: AtLimit | None = None
    rivals: tuple[Play, ...] = ()
    retry_after: timedelta | None = None
    is_too_late: bool = False

    @property
    def id(self) -> UUID | None:
        """The id of the play, or ``None`` if the start was refused."""
        return None if self.play is None else self.play.pk
