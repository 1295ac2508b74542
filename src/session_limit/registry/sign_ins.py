"""Define the facts of a sign-in, and write them to the session's database row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase

from session_limit import audit
from session_limit.client import Client
from session_limit.models import DatabaseNow, EndReason, UserSession
from session_limit.registry.accounts import locked
from session_limit.registry.activity import deadline
from session_limit.registry.credentials import digest
from session_limit.registry.ending import end_row
from session_limit.registry.pending import Choice, cancel_pending
from session_limit.registry.transactions import transactional
from session_limit.store import engines
from session_limit.store.liveness import Row
from session_limit.store.store_ids import store_id
from session_limit.utils import sql
from session_limit.utils.after_commit import after_commit

_NOW = DatabaseNow()
# How many sessions get the notice of a new sign-in. No person looks at more.
MAX_NOTICES = 100


class FormerSession(NamedTuple):
    """
    A session of somebody else that a sign-in replaces in its browser.

    ``id`` is the id of the session's row, or ``None`` if it has no row. ``key`` is the
    key of its stored data, or ``None`` if a cookie holds the data.
    """

    id: UUID | None
    key: str | None


@dataclass(frozen=True, slots=True)
class SignIn:
    """
    The facts of one sign-in, collected before any database row is locked.

    If the database aborts an attempt to admit the sign-in, the next attempt uses the
    same facts. The project's functions that provide the facts run before the lock is
    taken, so a slow function holds no lock.
    """

    user: AbstractBaseUser
    # The session that names the user, and its key before the admission.
    session: SessionBase
    key: str | None
    client: Client
    scope: str
    # Whether the sign-in is exempt from the limit and displaces no other session.
    exempt: bool
    # Whether the user had signed in before the session got a row.
    adopted: bool
    # The id of the session's row, if this browser was signed in before.
    own_id: UUID | None
    # The key of the session cookie that the browser sent.
    presented_key: str | None
    # Whether the user has not signed in from this browser before.
    is_new_browser: bool
    # A keyed digest that recognizes the browser, and the digests of an earlier session
    # in the same browser, which did not send its session cookie.
    browser: str | None
    former_browsers: frozenset[str]
    now: datetime
    authenticated_at: datetime
    # The sessions that the user chose to end, if they were asked.
    choice: Choice | None
    # Called with the row of a new session after the commit, and with whether the user
    # has not signed in from this browser before.
    announce: Callable[[UserSession, bool], None]
    # The session of somebody else in this browser, which ends with the admission.
    former: FormerSession | None = None


def own_row(sign_in: SignIn, using: str) -> UserSession | None:
    """Lock and return the browser's live session row, or ``None`` if it has none."""
    if sign_in.own_id is None:
        return None
    rows = UserSession.objects.using(using).live().for_user(sign_in.user)
    return next(iter(locked(rows.filter(pk=sign_in.own_id))), None)


@transactional
def end_former(using: str, former: FormerSession) -> None:
    """End and delete the session of somebody else that a sign-in has replaced."""
    if former.id is not None:
        end_row(former.id, EndReason.SIGNED_OUT)
    if former.key is not None:
        engines.delete([former.key], using)


def giving_notice(id: UUID, rows: list[UserSession], using: str) -> list[sql.Statement]:
    """
    Return the statements that make the live sessions in ``rows`` show a notice.

    ``id`` is the id of the new sign-in. The caller must have locked the rows. Sessions
    that are exempt from the limit show no notice, because an administrator who is
    signed in as the user does not own the account.
    """
    noted = [row for row in rows if row.is_live and row.counted][-MAX_NOTICES:]
    return [sql.update(noted, {"notice": id}, using)] if noted else []


def enter(
    sign_in: SignIn,
    own: UserSession | None,
    using: str,
    id: UUID,
    before: Sequence[sql.Statement] = (),
) -> Row:
    """
    Record an admitted sign-in, and return the session's row.

    ``own`` is the row of the browser's earlier sign-in, and is updated. If ``own`` is
    ``None``, a new row with this ``id`` is added. The statements in ``before`` are
    executed first.
    """
    if sign_in.former is not None:
        end_former(sign_in.former)
    if sign_in.choice is not None:
        # In this transaction, so that one choice never admits two sign-ins.
        cancel_pending(sign_in.choice.pending)
    if own is None:
        if sign_in.own_id is not None:
            # The earlier session has ended, and its stored data was deleted.
            sign_in.session._session_key = None
        return Row.of(record(sign_in, id, using, before))
    changes = {
        "authenticated_at": sign_in.now,
        "last_active_at": sign_in.now,
        **_credentials_and_deadline(sign_in),
        "browser": own.browser or sign_in.browser,
    }
    for name, value in changes.items():
        setattr(own, name, value)
    # As in record(), no signal passes the key on.
    sql.execute(using, *before, sql.update([own], changes, using))
    return Row.of(own)


def _credentials_and_deadline(sign_in: SignIn) -> dict[str, Any]:
    session = sign_in.session
    expires_at, expires_reason = deadline(
        sign_in.user,
        engines.expiry_of(session, sign_in.now),
        active_at=sign_in.now,
        authenticated_at=sign_in.authenticated_at,
    )
    return {
        "credentials": digest(session.get(HASH_SESSION_KEY)),
        "expires_at": expires_at,
        "expires_reason": expires_reason,
    }


def record(
    sign_in: SignIn, id: UUID, using: str, before: Sequence[sql.Statement] = ()
) -> UserSession:
    """
    Add and return the ``UserSession`` row of a new session with this ``id``.

    The statements in ``before`` are executed first.
    """
    session, client = sign_in.session, sign_in.client
    session[engines.ID] = id.hex
    if session.session_key is None:
        # Otherwise the data would be stored only with the response, and an ending
        # before then would find nothing to delete.
        session.create()
    row = UserSession(
        id=id,
        user_id=sign_in.user.pk,
        session_key=engines.storable(session.session_key),
        key_digest=engines.digest(session.session_key),
        key_recorded_at=cast("Any", _NOW),
        store=store_id(),
        browser=sign_in.browser,
        scope=sign_in.scope,
        counted=not sign_in.exempt,
        adopted=sign_in.adopted,
        created_at=sign_in.now,
        authenticated_at=sign_in.authenticated_at,
        last_active_at=sign_in.now,
        address=client.address,
        device=client.device,
        device_class=client.device_class,
        **_credentials_and_deadline(sign_in),
    )
    # save() would send signals, with which audit libraries copy the session key into
    # tables of their own.
    sql.execute(using, *before, sql.insert(row, using, computed="key_recorded_at"))
    row._state.adding, row._state.db = False, using
    # The database has computed this value. The deferred field is read only if needed.
    del row.key_recorded_at
    after_commit(using, audit.started, row)
    after_commit(using, sign_in.announce, row, sign_in.is_new_browser)
    return row
