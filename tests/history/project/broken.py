"""
Safeguards that a run may take out of the package, to show that the judge finds what
comes of it. Each is put out of force in the served process alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def lock() -> None:
    """Admit without the account's lock: two sign-ins at once take the same place."""
    from session_limit.models import AccountLimit
    from session_limit.registry import admission

    def unlocked(user_id: Any, using: str) -> AccountLimit:
        found = AccountLimit.objects.using(using).filter(pk=user_id).first()
        return found or AccountLimit(
            user_id=user_id, limit=None, password_changed_at=None
        )

    admission.lock_account = unlocked


def sweep() -> None:
    """Sweep once an hour: without a bus, nobody hears of other processes' endings."""
    from session_limit.asgi import hub

    hub.SWEEP = 3600.0


def verification() -> None:
    """Believe what is stored, and leave it there, whatever the row says."""
    from session_limit.store import engines, queries

    def believed(row: queries.Row, user_id: Any) -> bool:
        return row.belongs_to(user_id)

    queries.Row.is_live_of = believed
    engines.delete = lambda keys, using: None


def reason() -> None:
    """Say of sessions that a password change ends that somebody signed out."""
    from session_limit.models import UserSession
    from session_limit.registry import not_counting

    signed_out = UserSession.Reason.SIGNED_OUT
    not_counting.credentials_reason = lambda *arguments: signed_out


BROKEN: dict[str, Callable[[], None]] = {
    each.__name__: each for each in (lock, sweep, verification, reason)
}
