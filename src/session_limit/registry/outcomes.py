"""What became of a sign-in, or of the start of a play."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from session_limit.models import Play
from session_limit.policy import AtLimit
from session_limit.registry.pending import Rivals
from session_limit.store.queries import Row


@dataclass(frozen=True, slots=True)
class Admission:
    """
    What became of a sign-in.

    ``row`` is the row of its session, or ``None`` if the sign-in was refused. ``limit``
    is the limit of its ``scope``, and ``at_limit`` is what happens there. ``rivals``
    are the sessions that hold the places of a refused one. ``is_too_late`` says that it
    was refused because the choice that came with it had been used or withdrawn.
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
    What became of the start of a play.

    ``play`` is ``None`` if the start was refused. If an earlier start used the same
    key, it is that start's play, which may have ended. ``limit`` is the limit of its
    ``scope``, and ``at_limit`` is what happens there. ``rivals`` are the plays that
    hold the places of a refused one. ``retry_after`` is set if places have changed
    hands too often, and says how long to wait before the next attempt. ``is_too_late``
    says that the start was refused because its session has ended.
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
