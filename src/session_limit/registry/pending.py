"""
Store pending sign-ins, which wait for the user to choose which sessions to end.

``admission.admit()`` completes each one at most once, under the account's lock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from django.utils.crypto import get_random_string

from session_limit.models import (
    PendingSignIn,
    UserSession,
    registry_alias,
    taking_place_in,
)
from session_limit.registry.best_effort import BestEffort
from session_limit.registry.credentials import digest, is_recorded_of
from session_limit.registry.limits import limit_of
from session_limit.registry.transactions import transactional
from session_limit.store import copies, engines
from session_limit.store.queries import live_of
from session_limit.store.users import user_of
from session_limit.utils.clock import utc_now
from session_limit.utils.safe_redirects import MAX_LENGTH

# Long enough to choose calmly, and short enough not to endanger a public computer.
LIFETIME = timedelta(minutes=10)
SECRET_LENGTH = 32

# The maximum number of pending sign-ins of one account. Each is a row, and anyone who
# has the password can begin another one.
MAX_WAITING = 20
# The maximum number of live sessions that the user can choose from.
LISTED = 50

CANCELLATIONS = BestEffort("Deleting a pending sign-in")


@dataclass(frozen=True, slots=True)
class Choice:
    """
    The sessions that a user chose to end for a ``pending`` sign-in.

    ``chosen`` holds the ids of these sessions, or is ``None`` to end all sessions.
    """

    pending: PendingSignIn
    chosen: frozenset[UUID] | None


@dataclass(frozen=True, slots=True)
class Rivals:
    """
    The live sessions that prevent the admission of a sign-in.

    ``listed`` holds up to ``LISTED`` of these sessions, least recently active first.
    ``count`` is the number of all these sessions.
    """

    listed: Sequence[UserSession] = ()
    count: int = 0

    @classmethod
    def of(cls, rows: Collection[UserSession]) -> Rivals:
        """Create ``Rivals`` from all session rows that prevent an admission."""
        ordered = sorted(rows, key=lambda row: (row.last_active_at, row.pk))
        return cls(ordered[:LISTED], len(rows))


# The session keys that login() sets itself, and those that do not outlive an admission.
_NOT_KEPT = frozenset(
    {SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY, engines.ID, engines.ENDED_ID}
)


@dataclass(frozen=True, slots=True)
class SessionChanges:
    """The values that a sign-in set in its session, and the previous session data."""

    values: Mapping[str, Any]
    before: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Browser:
    """
    A browser, identified by the ``secret`` in its cookie and by its user agent.

    Without a cookie, ``secret`` is ``None``. The user agent makes a copied cookie
    useless in another kind of browser.

    ``places`` are the digests that recognize the browser's place under the limit. They
    are empty if the form with the choice can recognize the browser, too.
    """

    secret: str | None
    user_agent: str
    places: Sequence[str] = ()


def create_pending(
    user: AbstractBaseUser,
    changes: SessionChanges,
    browser: Browser,
    *,
    scope: str,
    next_url: str,
) -> tuple[PendingSignIn, str]:
    """
    Record a sign-in of ``user`` that waits until the user chooses sessions to end.

    Return the row of the sign-in and the secret for the browser's cookie. ``changes``
    holds the values that the request set in its session. ``next_url`` is the address to
    open after the sign-in, or ``""`` if unknown. An address longer than ``MAX_LENGTH``
    is not stored. If ``browser`` already has a pending sign-in of the same user, that
    sign-in is renewed and keeps its secret.
    """
    now = utc_now()
    values, before = changes.values, changes.before
    session = engines.engine()()
    # A cache may hold values that the serializer does not accept.
    added = copies.storable(
        {name: value for name, value in values.items() if name not in _NOT_KEPT},
        session,
    )
    previous = {name: before[name] for name in added if name in before}
    data = {
        "left": added,
        "before": copies.storable(previous, session),
        "places": list(browser.places),
    }
    facts: dict[str, Any] = {
        "user_id": user.pk,
        "backend": values.get(BACKEND_SESSION_KEY, ""),
        "credentials": digest(values.get(HASH_SESSION_KEY)),
        "scope": scope,
        "data": session.encode(data) if added or browser.places else "",
        "expires_at": now + LIFETIME,
    }
    if next_url and len(next_url) <= MAX_LENGTH:
        facts["next"] = next_url
    return _record(browser, facts)


@transactional
def _record(
    using: str, browser: Browser, facts: dict[str, Any]
) -> tuple[PendingSignIn, str]:
    waiting = PendingSignIn.objects.using(using)
    known, secret, user_id = find_pending(browser), browser.secret, facts["user_id"]
    if known is not None and secret is not None and known.user_id == user_id:
        for name, value in facts.items():
            setattr(known, name, value)
        # No row is updated if another tab has just completed the sign-in.
        if waiting.filter(pk=known.pk).update(**facts):
            return known, secret
    _make_room(user_id, using)
    secret = get_random_string(SECRET_LENGTH)
    pending = waiting.create(
        secret=engines.digest(secret),
        user_agent=engines.digest(browser.user_agent),
        **facts,
    )
    return pending, secret


def _make_room(user_id: Any, using: str) -> None:
    """Delete a user's expired pending sign-ins, and the oldest if too many remain."""
    now = utc_now()
    waiting = PendingSignIn.objects.using(using).filter(user_id=user_id)
    rows = waiting.order_by("-expires_at", "-pk").values_list("pk", "expires_at")
    leaving = [
        id
        for number, (id, expires_at) in enumerate(rows)
        if number >= MAX_WAITING - 1 or expires_at <= now
    ]
    if leaving:
        waiting.filter(pk__in=leaving).delete()


def find_pending(browser: Browser) -> PendingSignIn | None:
    """Return the unexpired pending sign-in of ``browser``, or ``None``."""
    if browser.secret is None:
        return None
    return (
        PendingSignIn.objects.using(registry_alias())
        .filter(
            secret__in=engines.digests(browser.secret),
            user_agent__in=engines.digests(browser.user_agent),
            expires_at__gt=utc_now(),
        )
        .first()
    )


def user_waiting(pending: PendingSignIn) -> AbstractBaseUser | None:
    """
    Return the user of a ``pending`` sign-in, or ``None`` if they may no longer sign in.

    The account may have been disabled, or its password changed, in the meantime.
    """
    # The data that Django would find in a session of this user.
    data = {SESSION_KEY: str(pending.user_id), BACKEND_SESSION_KEY: pending.backend}
    user = user_of(data)
    return user if user is not None and is_recorded_of(pending, user) else None


def rivals_of(
    pending: PendingSignIn, user: AbstractBaseUser
) -> tuple[int | None, Rivals]:
    """Return the session limit and the sessions that prevent a ``pending`` sign-in."""
    # The admission counts these sessions again, under the account's lock.
    rows = live_of(user.pk).filter(taking_place_in(pending.scope))
    listed = list(rows.order_by("last_active_at", "pk")[:LISTED])
    count = rows.count() if len(listed) == LISTED else len(listed)
    return limit_of(user, pending.scope), Rivals(listed, count)


def unapplied_changes(pending: PendingSignIn, session: SessionBase) -> dict[str, Any]:
    """
    Return the values to set in ``session`` when a ``pending`` sign-in is completed.

    The request that began the sign-in had set these values in its own session. Keys
    that have changed in ``session`` since that request are excluded.
    """
    data = _decoded(pending)
    values, before = data.get("left", {}), data.get("before", {})
    now = {name: session.get(name) for name in values}
    then = copies.copies({name: before.get(name) for name in values}, session)
    changed = copies.changed(now, then, session)
    return {name: value for name, value in values.items() if name not in changed}


def places_of(pending: PendingSignIn) -> list[str]:
    """
    Return the digests that recognize the browser's place in a ``pending`` sign-in.

    The result is empty if the form with the choice recognizes the browser itself.
    """
    places: list[str] = _decoded(pending).get("places", [])
    return places


def _decoded(pending: PendingSignIn) -> dict[str, Any]:
    return engines.engine()().decode(pending.data) if pending.data else {}


@transactional
def cancel_pending(using: str, pending: PendingSignIn) -> None:
    """Delete a ``pending`` sign-in, so that it can no longer be completed."""
    PendingSignIn.objects.using(using).filter(pk=pending.pk).delete()


def try_to_cancel(browser: Browser) -> None:
    """
    Delete the pending sign-in, if any, of a browser that has just signed in.

    If the database cannot write immediately, the row stays until it expires.
    """
    if browser.secret is None:
        return

    def cancel() -> None:
        pending = find_pending(browser)
        if pending is not None:
            cancel_pending(pending)

    CANCELLATIONS.attempt(cancel)
