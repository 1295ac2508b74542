"""Decide whether a session is live, for all code that authenticates requests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple
from uuid import UUID

from django.core.exceptions import ValidationError

from session_limit.conf import conf
from session_limit.models import (
    EndReason,
    UserSession,
)

ANY_USER = object()


class Row(NamedTuple):
    """The fields of a ``UserSession`` row that are needed to serve a request."""

    id: UUID
    user_id: Any
    ended_at: datetime | None
    authenticated_at: datetime
    last_active_at: datetime
    expires_at: datetime
    expires_reason: str
    counted: bool
    # The id of a newer sign-in for which this session has not shown a notice yet.
    notice: UUID | None
    # The recorded key, or None if the session has ended or its key cannot be recorded.
    session_key: str | None
    # A digest of the session's authentication hash, or "" if none is recorded.
    credentials: str

    def __repr__(self) -> str:
        # Keep the key out of tracebacks.
        return f"<Row: {self.id}>"

    @classmethod
    def of(cls, session: UserSession) -> Row:
        """Return a ``Row`` with the field values of a ``UserSession`` object."""
        return cls(*(getattr(session, name) for name in cls._fields))

    @property
    def touch_interval(self) -> timedelta:
        """
        The minimum time between two recordings of the user's activity.

        The interval is ``SESSION_LIMIT_TOUCH_INTERVAL``, or a tenth of the session's
        idle timeout if a tenth is shorter.
        """
        if self.expires_reason != EndReason.IDLE:
            return conf.touch_interval
        idle_timeout = self.expires_at - self.last_active_at
        return min(conf.touch_interval, idle_timeout / 10)

    def has_credentials(self, credentials: str) -> bool:
        """
        Return whether session data with this digest of a hash may use the session.

        Other data is an old copy from before a password change. A session engine
        restored the copy, or the client kept it (``signed_cookies``).
        """
        return self.credentials in {"", credentials}

    def is_touch_due(self, now: datetime) -> bool:
        """Return whether enough time has passed to record the user's activity again."""
        return now - self.last_active_at >= self.touch_interval

    def is_due(self, now: datetime) -> bool:
        """
        Return whether the session has expired by ``now``.

        The row may not contain the latest activity yet. If activity postpones the
        expiry, this method therefore adds ``touch_interval``. No session expires too
        early, and no session expires more than ``touch_interval`` late.
        """
        if self.expires_at > now or self.expires_reason == EndReason.ABSOLUTE:
            return self.expires_at <= now
        return self.expires_at + self.touch_interval <= now

    def why_not_live(
        self,
        now: datetime,
        *,
        user_id: Any = ANY_USER,
        engine_expires: bool = False,
        check_credentials: Callable[[], EndReason | None] | None = None,
    ) -> EndReason | Literal[""] | None:
        """
        Return why the session is not live at ``now``, or ``None`` if it is live.

        Return ``""`` if the row is marked as ended or belongs to another user. All code
        that authenticates a session calls this method, with different arguments:

        - ``user_id`` is the primary key, as a string, of the user in the session data.
        - ``engine_expires`` is true if the session engine has just loaded the data and
          enforces the expiry that was set for the session.
        - ``check_credentials`` is a function that returns why the user's credentials
          are no longer valid, or ``None`` if they are valid. This function is called
          last, because it may read the database.
        """
        if self.ended_at is not None:
            return ""
        if user_id is not ANY_USER and not self.belongs_to(user_id):
            return ""
        is_checked = self.expires_reason != EndReason.EXPIRED or not engine_expires
        if is_checked and self.is_due(now):
            return EndReason(self.expires_reason)
        return check_credentials() if check_credentials is not None else None

    def belongs_to(self, user_id: Any) -> bool:
        """Return whether the session's user has this primary key, given as a string."""
        if str(self.user_id) == user_id:
            return True
        # Compare converted values, as Django does: the text of a key may have more than
        # one spelling.
        to_python = UserSession._meta.get_field("user").to_python
        try:
            return bool(to_python(self.user_id) == to_python(user_id))
        except ValidationError:
            return False
