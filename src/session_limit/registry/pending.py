"""
Pending sign-ins: past authentication, and not admitted before a person has chosen what
to sign out. Each is used once, under the account's lock: see ``admission.admit()``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone
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
from session_limit.registry.transactions import in_transaction
from session_limit.store import engines
from session_limit.store.queries import live_of
from session_limit.store.users import user_of
from session_limit.utils.safe_redirects import MAX_LENGTH

# Long enough to choose calmly, and far below what a forgotten public computer is for.
LIFETIME = timedelta(minutes=10)
SECRET_LENGTH = 32

# How many sign-ins of one account may wait at once. Anybody with the password can begin
# more of them, and each is a row.
MAX_WAITING = 20
# How many of the sessions that take the places are listed for a person to choose from.
LISTED = 50

CANCELLATIONS = BestEffort("Deleting a pending sign-in")


@dataclass(frozen=True, slots=True)
class Choice:
    """What was ``chosen`` to be signed out for ``pending``; ``None`` is everybody."""

    pending: PendingSignIn
    chosen: frozenset[UUID] | None


@dataclass(frozen=True, slots=True)
class Rivals:
    """
    The sessions that take a scope's places. ``listed`` has the least recently active of
    them first, at most ``LISTED``; ``count`` counts all.
    """

    listed: Sequence[UserSession] = ()
    count: int = 0

    @classmethod
    def of(cls, rows: Collection[UserSession]) -> Rivals:
        """Return the rivals among which are all of ``rows``."""
        ordered = sorted(rows, key=lambda row: (row.last_active_at, row.pk))
        return cls(ordered[:LISTED], len(rows))


# What login() itself puts into a session, and what is over once it is admitted.
_NOT_KEPT = frozenset(
    {SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY, engines.ID, engines.ENDED_ID}
)


@dataclass(frozen=True, slots=True)
class SessionChanges:
    """``values`` that a request has put into a session that held others ``before``."""

    values: Mapping[str, Any]
    before: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Browser:
    """
    Who waits: known by the ``secret`` in a cookie, ``None`` where there is none, and by
    its user agent, for a copied cookie is of no use in another browser.
    """

    secret: str | None
    user_agent: str


def create_pending(
    user: AbstractBaseUser,
    left: SessionChanges,
    browser: Browser,
    *,
    scope: str,
    next_url: str,
) -> tuple[PendingSignIn, str]:
    """
    Record that the sign-in of ``user`` waits for a choice; return it, with the secret
    that leads to it. ``left`` is what its request had put into the session;
    ``next_url`` where it leads, ``""`` if that is not known; one that is longer than a
    local address may be is not kept. A browser that waits already and tries the same
    again goes on waiting under the secret that it has.
    """
    now = timezone.now()
    values, before = left.values, left.before
    added = {name: value for name, value in values.items() if name not in _NOT_KEPT}
    data = {"left": added, "before": {n: before[n] for n in added if n in before}}
    facts: dict[str, Any] = {
        "user_id": user.pk,
        "backend": values.get(BACKEND_SESSION_KEY, ""),
        "credentials": digest(values.get(HASH_SESSION_KEY)),
        "scope": scope,
        "data": engines.engine()().encode(data) if added else "",
        "expires_at": now + LIFETIME,
    }
    if next_url and len(next_url) <= MAX_LENGTH:
        facts["next"] = next_url

    def work(using: str) -> tuple[PendingSignIn, str]:
        waiting = PendingSignIn.objects.using(using)
        known, secret = find_pending(browser), browser.secret
        if known is not None and secret is not None and known.user_id == user.pk:
            for name, value in facts.items():
                setattr(known, name, value)
            # No row is left to update if another tab has just completed the sign-in.
            if waiting.filter(pk=known.pk).update(**facts):
                return known, secret
        _make_room(user, using, now)
        secret = get_random_string(SECRET_LENGTH)
        pending = waiting.create(
            secret=engines.digest(secret),
            user_agent=engines.digest(browser.user_agent),
            **facts,
        )
        return pending, secret

    return in_transaction(work)


def _make_room(user: AbstractBaseUser, using: str, now: datetime) -> None:
    """
    Delete the sign-ins of ``user`` that have waited too long, and the oldest of the
    others if another one would be one too many.
    """
    waiting = PendingSignIn.objects.using(using).filter(user_id=user.pk)
    rows = waiting.order_by("-expires_at", "-pk").values_list("pk", "expires_at")
    leaving = [
        id
        for number, (id, expires_at) in enumerate(rows)
        if number >= MAX_WAITING - 1 or expires_at <= now
    ]
    if leaving:
        waiting.filter(pk__in=leaving).delete()


def find_pending(browser: Browser) -> PendingSignIn | None:
    """Return what ``browser`` waits with, while it may."""
    if browser.secret is None:
        return None
    return (
        PendingSignIn.objects.using(registry_alias())
        .filter(
            secret__in=engines.digests(browser.secret),
            user_agent__in=engines.digests(browser.user_agent),
            expires_at__gt=timezone.now(),
        )
        .first()
    )


def user_waiting(pending: PendingSignIn) -> AbstractBaseUser | None:
    """
    Return whose it is; ``None`` once they may no longer sign in by it: the account was
    disabled, or its password changed.
    """
    # Exactly what Django would find in a session that says so.
    data = {SESSION_KEY: str(pending.user_id), BACKEND_SESSION_KEY: pending.backend}
    user = user_of(data)
    return user if user is not None and is_recorded_of(pending, user) else None


def rivals_of(
    pending: PendingSignIn, user: AbstractBaseUser
) -> tuple[int | None, Rivals]:
    """
    Return the limit, and the live sessions that take its places at this moment. What
    counts in the end is what the admission finds under its lock.
    """
    rows = live_of(user.pk).filter(taking_place_in(pending.scope))
    listed = list(rows.order_by("last_active_at", "pk")[:LISTED])
    count = rows.count() if len(listed) == LISTED else len(listed)
    return limit_of(user, pending.scope), Rivals(listed, count)


def left_over(pending: PendingSignIn, session: SessionBase) -> dict[str, Any]:
    """
    Return what the request of a sign-in that then waited had put into its session,
    but for what has been written into ``session`` since.
    """
    data = engines.engine()().decode(pending.data) if pending.data else {}
    left, before = data.get("left", {}), data.get("before", {})
    return {
        name: value
        for name, value in left.items()
        if session.get(name) == before.get(name)
    }


def cancel_pending(pending: PendingSignIn) -> None:
    """Delete a pending sign-in, so that it can no longer be completed."""

    def work(using: str) -> None:
        PendingSignIn.objects.using(using).filter(pk=pending.pk).delete()

    in_transaction(work)


def try_to_forget(browser: Browser) -> None:
    """
    Delete the pending sign-in of ``browser``, if it has one, because somebody has
    signed in there. If the database does not take that at once, the row stays until it
    expires.
    """
    if browser.secret is None:
        return

    def forget() -> None:
        pending = find_pending(browser)
        if pending is not None:
            cancel_pending(pending)

    CANCELLATIONS.attempt(forget)
