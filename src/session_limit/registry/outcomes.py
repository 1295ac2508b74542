"""Define the outcomes of attempts to sign in and to start a playback."""

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
    ``at_limit`` says how sign-ins beyond the limit are handled. ``rivals`` are the live
    sessions that prevented the admission. ``is_too_late`` says that the user's choice
    of sessions to end had already been used or withdrawn.
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
    The outcome of an attempt to start a playback of limited content.

    ``play`` is ``None`` if the start was refused. If an earlier start used the same
    key, ``play`` is the row of that start, which may have ended. ``limit`` is the limit
    of ``scope`` (the playbacks that one limit covers). ``at_limit`` says how playbacks
    beyond the limit are handled. ``rivals`` are the playbacks that prevented the start.
    ``retry_after`` is how long to wait if playbacks displaced one another too often.
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
        """The id of the playback, or ``None`` if the start was refused."""
        return None if self.play is None else self.play.pk
