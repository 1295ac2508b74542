"""
Remove safeguards from the package, to show that the judge finds the consequences.

Each function removes one safeguard, in the served process alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def lock() -> None:
    """Admit without the account's lock, so that two sign-ins can take one place."""
    from session_limit.models import AccountLimit
    from session_limit.registry import admission

    def unlocked(user_id: Any, using: str) -> AccountLimit:
        found = AccountLimit.objects.using(using).filter(pk=user_id).first()
        return found or AccountLimit(
            user_id=user_id, limit=None, password_changed_at=None
        )

    admission.lock_account = unlocked


def sweep() -> None:
    """Sweep once an hour, so that without a bus no process hears of the others."""
    from session_limit.asgi import hub

    hub.SWEEP = 3600.0


def verification() -> None:
    """Accept a stored session whatever its row says, and never delete it."""
    from session_limit.store import engines, liveness

    real = liveness.Row.why_not_live

    def believed(row: liveness.Row, *args: Any, **checks: Any) -> str | None:
        return real(row._replace(ended_at=None), *args, **checks)

    liveness.Row.why_not_live = believed
    engines.deletion = lambda keys, using: []


def reason() -> None:
    """Record a sign-out as the reason when a password change ends sessions."""
    from session_limit.models import UserSession
    from session_limit.registry import not_counting

    signed_out = UserSession.Reason.SIGNED_OUT
    not_counting.credentials_reason = lambda *arguments: signed_out


BROKEN: dict[str, Callable[[], None]] = {
    each.__name__: each for each in (lock, sweep, verification, reason)
}
