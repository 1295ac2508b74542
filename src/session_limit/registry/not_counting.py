"""
End sessions that are still marked live but no longer count towards the limit.

The functions that end sessions take locked rows and return the rows that stay live.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser

from session_limit import policy
from session_limit.conf import conf
from session_limit.models import STORED_WITHIN, AccountLimit, EndReason, UserSession
from session_limit.registry.credentials import (
    credentials_reason,
    hash_is_valid,
    is_recorded_of,
)
from session_limit.registry.ending import end_locked
from session_limit.store import engines
from session_limit.store.liveness import Row
from session_limit.store.store_ids import is_own
from session_limit.store.stored_data import Data, read_many
from session_limit.utils.clock import utc_now

Rows = list[UserSession]

# The number of sessions that a decision at the limit looks for in the store at once.
READ_AT_ONCE = 100


def _end_where(
    rows: Sequence[UserSession],
    reason_of: Callable[[UserSession], EndReason | None],
    using: str,
) -> Rows:
    """End the sessions for which ``reason_of`` gives a reason; return the others."""
    remaining, ending = [], defaultdict(list)
    for row in rows:
        reason = reason_of(row)
        if reason is None:
            remaining.append(row)
        else:
            ending[reason].append(row)
    for reason, group in sorted(ending.items()):
        end_locked(group, reason, using)
    return remaining


def end_due(rows: Sequence[UserSession], now: datetime, using: str) -> Rows:
    """End the sessions in ``rows`` that have expired by ``now``; return the others."""
    return _end_where(rows, lambda row: Row.of(row).why_not_live(now) or None, using)


def end_same_browser(
    rows: Sequence[UserSession], presented_key: str | None, own: object, using: str
) -> Rows:
    """
    End the former session of a browser that signs in, and return the other rows.

    ``presented_key`` is the session key that the browser sent without being signed in.
    The stored session with that key was deleted (for example by ``clearsessions``), so
    the browser cannot use the session again. ``own`` is the id of the session that
    signs in. This session does not end.
    """

    def reason_of(row: UserSession) -> EndReason | None:
        has_key = row.session_key is not None and row.session_key == presented_key
        return EndReason.EXPIRED if has_key and row.pk != own else None

    return _end_where(rows, reason_of, using)


def former_places(
    rows: Sequence[UserSession], browsers: frozenset[str], scope: str
) -> Rows:
    """
    Return the sessions in ``rows`` whose place a sign-in in the same browser takes.

    ``browsers`` are the digests that recognize the browser. The browser cannot have two
    sessions, so these sessions end if the sign-in is admitted, and do not count until
    then. Only sessions that count towards the limit of ``scope`` are returned, and none
    that is in the store of another site.
    """
    return [
        row
        for row in rows
        if row.browser in browsers and row.takes_place_in(scope) and is_own(row.store)
    ]


def end_unusable(
    rows: Sequence[UserSession],
    user: AbstractBaseUser,
    account: AccountLimit,
    using: str,
    *,
    settled: bool = False,
) -> Rows:
    """End the sessions that no longer authenticate ``user``; return the others."""
    # The locked rows decide, whatever an earlier read without a lock returned.
    reasons = unusable_reasons(rows, user, account, using, settled=settled)
    return _end_where(rows, lambda row: reasons.get(row.pk), using)


def usable(
    rows: Sequence[UserSession],
    user: AbstractBaseUser,
    account: AccountLimit,
    limit: int | None,
    using: str,
) -> Rows:
    """
    End unusable sessions among ``rows``, and return the remaining sessions.

    ``rows`` are sessions of one scope (a group of sessions with a common limit). The
    sessions that would stay longest are read first. Once as many as ``limit`` are
    usable, the others need not be read, because the limit has no room for them.
    """
    facts = [row.facts() for row in rows]
    by_id = {row.pk: row for row in rows}
    ordered = [by_id[id] for id in reversed(policy.in_order(facts, conf.displace))]
    remaining: set[UUID] = set()
    enough = limit or 0
    step = max(enough, READ_AT_ONCE)
    for start in range(0, len(ordered), step):
        batch = ordered[start : start + step]
        if len(remaining) < enough:
            batch = end_unusable(batch, user, account, using)
        remaining.update(row.pk for row in batch)
    return [row for row in rows if row.pk in remaining]


def unusable_reasons(
    rows: Sequence[UserSession],
    user: AbstractBaseUser,
    account: AccountLimit,
    using: str,
    *,
    settled: bool = False,
) -> dict[UUID, EndReason]:
    """
    Return why live sessions in ``rows`` no longer authenticate ``user``, by session id.

    Either the stored session was deleted, or the user's credentials changed. The result
    leaves out the other sessions, those that are in the store of another site, and
    those whose store fails. ``settled`` says that the request that changed the
    credentials has already stored its own session with the new credentials. The check
    writes nothing.
    """
    now, changed_at = utc_now(), account.password_changed_at
    # Unless ``settled`` is true, that request may not have sent its response yet.
    settled = settled or changed_at is None or changed_at + STORED_WITHIN <= now
    rows = [row for row in rows if is_own(row.store)]
    found = _read(rows)
    absent = _absent(rows, found)
    reasons = dict.fromkeys(_deleted(absent, using), EndReason.EXPIRED)
    for row in rows if settled else ():
        data = found.get(row.pk, {})
        if row.pk in reasons or data is None:
            continue
        if row.session_key is None:
            # Nothing is stored under a key, so the recorded digest has to decide.
            is_valid = is_recorded_of(row, user)
        else:
            is_valid = row in absent or hash_is_valid(
                data.get(HASH_SESSION_KEY, ""), user
            )
        if not is_valid:
            reasons[row.pk] = credentials_reason(row.authenticated_at, user, account)
    return reasons


def deleted(
    rows: Sequence[UserSession], using: str, within: timedelta = STORED_WITHIN
) -> set[UUID]:
    """
    Return the ids of the live sessions in ``rows`` whose stored data was deleted.

    Sessions whose key was recorded ``within`` this time may not be stored yet, and are
    left out. So are sessions in the store of another site, and those whose store fails.
    """
    rows = [row for row in rows if is_own(row.store)]
    return _deleted(_absent(rows, _read(rows)), using, within)


def _absent(
    rows: Sequence[UserSession], found: Mapping[UUID, Data | None]
) -> list[UserSession]:
    """Return the sessions in ``rows`` whose own data is not what was ``found``."""
    return [
        row
        for row in rows
        if (data := found.get(row.pk)) is not None and not _is_of(row, data)
    ]


def _deleted(
    absent: Sequence[UserSession], using: str, within: timedelta = STORED_WITHIN
) -> set[UUID]:
    if not absent:
        return set()
    # A sign-in stores its data with its response, and a change of key stores the data
    # after recording the key.
    unsaved = UserSession.objects.using(using).unsaved(absent, within)
    return {row.pk for row in absent} - unsaved


def _read(rows: Sequence[UserSession]) -> dict[UUID, Data | None]:
    """Return the stored data of those ``rows`` that have a key, by session id."""
    keys = {row.pk: row.session_key for row in rows if row.session_key is not None}
    found = read_many(list(keys.values()))
    return {id: found[key] for id, key in keys.items()}


def _is_of(row: UserSession, data: Data) -> bool:
    """Return whether the stored ``data`` still lead to the session of ``row``."""
    # Without an id, the session was adopted, and no response has stored the id yet.
    if data.get(engines.ID, row.pk.hex) != row.pk.hex:
        return False
    return SESSION_KEY in data and Row.of(row).belongs_to(data[SESSION_KEY])
