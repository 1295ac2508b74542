"""
Find the live session of a session key with one statement, in front of Django's handler.

Players and proxies send the same key every few seconds. This module remembers what the
data of such a session name, but never whether the session is live.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from hashlib import blake2b, sha256
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY

from session_limit.models import parse_uuid
from session_limit.registry.activity import touch_unread
from session_limit.registry.connected import Standing, record_endings, standings
from session_limit.registry.credentials import digest as credentials_digest
from session_limit.registry.renewals import Renewal, Stored, renew_live
from session_limit.store import engines, queries, tenants
from session_limit.store.liveness import Row
from session_limit.utils.clock import utc_now
from session_limit.utils.lru import LRU

# The interval, in seconds, between two checks whether the account of a session was
# disabled or its password was changed without a signal.
VERIFY = 60.0
# How many sessions one check reads.
BATCH = 50
MAX_REMEMBERED = 50_000


class Remembered(NamedTuple):
    """
    What a session key named when its session was last read.

    ``stored`` is set if one statement can check that the stored session is still the
    same. From ``touch_at`` on, the session's activity has to be recorded again.
    """

    row: Row
    stored: Stored | None
    touch_at: datetime


_remembered: LRU[tuple[Any, bytes], Remembered] = LRU(MAX_REMEMBERED)


def find(key: str) -> Row | None:
    """
    Return the ``UserSession`` row of the live session with this session key.

    Return ``None`` if a single read does not show that the session is live. The session
    may still be live, if the key has just changed or if the session is from before the
    package was installed. The caller must then decide with ``identify()``.
    """
    engine: Any = engines.engine()
    beside_rows, stored = queries.beside_rows(engine), None
    if beside_rows is not None:
        model, using = beside_rows
        found = queries.read_with_stored(key, model, using)
        if found is None:
            return None
        data, beside = found
        row = beside.row if beside is not None else None
        identity = _identity_in(engine, data, lambda: engine().decode(data))
        digest = sha256(data.encode()).hexdigest()
        stored = Stored(model, key, digest)
    else:
        identity = _identity_of(engine, key)
        id = parse_uuid(identity.id)
        row = queries.read(id) if id is not None else None
    if row is None or row.id.hex != identity.id:
        return None
    if not row.has_credentials(identity.credentials):
        return None
    if row.why_not_live(utc_now(), user_id=identity.user) is not None:
        return None
    if not tenants.are_used():
        touch_at = row.last_active_at + row.touch_interval
        # The row's key is not needed any more.
        remembered = Remembered(row._replace(session_key=None), stored, touch_at)
        _remembered.put((engine, _digest(key)), remembered)
    return row


def renew(key: str, play: UUID) -> Row | None:
    """
    Renew a playback of the live session with this key, with a single statement.

    Return the row that ``find()`` last returned for the key. Return ``None`` if the
    playback was not renewed. The caller must then decide in another way.
    """
    found = _renewal(key, play)
    if found is None:
        return None
    row, renewal = found
    return row if renew_live([renewal]) else None


def renew_for_players(asked: Sequence[tuple[str, UUID]]) -> list[bool]:
    """
    Renew plays as Django's view would, with a single statement.

    ``asked`` contains pairs of a session key and the id of a play. Return for each pair
    whether the play was renewed. Django's view must serve the others. A renewal counts
    as activity. This function blocks.
    """
    found = {}
    for key, play in asked:
        entry = _renewal(key, play)
        if entry is None and find(key) is not None:
            entry = _renewal(key, play)
        if entry is not None:
            found[key, play] = entry
    renewed = _renew_each(list({renewal for _, renewal in found.values()}))
    answers = []
    for key, play in asked:
        row, renewal = found.get((key, play), (None, None))
        is_renewed = (
            row is not None
            and renewal in renewed
            and find_ended(row, can_wait=True) is None
        )
        answers.append(is_renewed and _record_activity(key))
    for (key, _), is_renewed in zip(asked, answers, strict=True):
        if not is_renewed:
            # The data may have changed, so find() must read them next time.
            _remembered.drop((engines.engine(), _digest(key)))
    return answers


def _renew_each(renewals: list[Renewal]) -> set[Renewal]:
    """Renew plays with as few statements as possible, and return those renewed."""
    if not renewals or renew_live(renewals):
        return set(renewals)
    if len(renewals) == 1:
        return set()
    # Few are refused, so most halves need one statement only.
    middle = len(renewals) // 2
    return _renew_each(renewals[:middle]) | _renew_each(renewals[middle:])


def _renewal(key: str, play: UUID) -> tuple[Row, Renewal] | None:
    """
    Return the renewal of a playback, and the row that ``find()`` returned for the key.

    Return ``None`` if ``find()`` has to read the session again.
    """
    engine = engines.engine()
    remembered = _remembered.get((engine, _digest(key)))
    if remembered is None:
        return None
    row = remembered.row
    if queries.beside_rows(engine) is None:
        identity = _identity_of(engine, key)
        if identity.id != row.id.hex or not row.belongs_to(identity.user):
            return None
    return row, Renewal(play, row.id, row.credentials, remembered.stored)


def _record_activity(key: str) -> bool:
    """
    Record the activity of a session that ``renew()`` has just found live, if it is due.

    Return ``False`` if the activity may change the session's expiry, which depends on
    the request and on the session's data. Nothing is recorded then.
    """
    entry = engines.engine(), _digest(key)
    remembered = _remembered.get(entry)
    if remembered is None:
        return False
    now = utc_now()
    if now < remembered.touch_at:
        return True
    row = remembered.row
    # If this process does not record the activity, find() must read the row again.
    _remembered.drop(entry)
    is_recorded = touch_unread(row)
    if is_recorded:
        touch_at = now + row.touch_interval
        _remembered.put(entry, remembered._replace(touch_at=touch_at))
    return is_recorded is not None


class _Identity(NamedTuple):
    """
    What session data say about their session.

    This is the id of the ``UserSession`` row, the user's primary key, and the digest of
    the authentication hash, as the row records it.
    """

    id: str | None = None
    user: str | None = None
    credentials: str = ""

    @classmethod
    def of(cls, data: dict[str, Any]) -> _Identity:
        credentials = credentials_digest(data.get(HASH_SESSION_KEY))
        return cls(data.get(engines.ID), data.get(SESSION_KEY), credentials)


# Maps a digest of signed data to the identity in the data. A player sends the same
# cookie every few seconds, so its signature is verified once. An entry does not say
# whether the session is live.
_identities: LRU[tuple[Any, bytes], _Identity] = LRU(5_000)
# In characters. Longer ids are not cached: no user has such a primary key.
LONGEST_ID = 100


def _identity_of(engine: Any, key: str) -> _Identity:
    """Load the data of a session that is not read with its row."""
    if not engines.is_cookie(engine):
        return _Identity.of(engines.load(engine(key)))
    identity = _identity_in(engine, key, engine(key).load)
    # A cached identity has a valid signature, which may have expired since.
    is_outdated = identity.id is not None and engines.is_outdated(key)
    return _Identity() if is_outdated else identity


def _identity_in(
    engine: Any, signed: str, load: Callable[[], dict[str, Any]]
) -> _Identity:
    """Return the session and user ids in signed data. Decode the data if not cached."""
    identity = _identities.get((engine, _digest(signed)))
    if identity is None:
        identity = _Identity.of(load())
        # A client could fill the memory with long ids.
        if all(isinstance(each, str) and len(each) <= LONGEST_ID for each in identity):
            _identities.put((engine, _digest(signed)), identity)
    return identity


def _digest(text: str) -> bytes:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=32).digest()


# The times at which the accounts of these UserSession rows were last checked, and the
# rows to check with the next check, with the times since when they have waited.
_verified: LRU[UUID, float] = LRU(MAX_REMEMBERED)
_waiting: dict[UUID, float] = {}


def find_ended(row: Row, *, can_wait: bool = False) -> Standing | None:
    """
    Return the ``Standing`` of a session that has ended without a signal.

    For example, its account was disabled by a queryset's ``update()``. Return ``None``
    if the session has not ended. Each session is checked every ``VERIFY`` seconds. If
    ``can_wait`` is true, the first check may come ``VERIFY / 2`` seconds late.
    """
    now, verified = time.monotonic(), _verified.get(row.id)
    age = VERIFY if verified is None else now - verified
    if age < VERIFY / 2:
        return None
    # Checking many sessions together costs little more than checking one, so wait for
    # others. The sessions of a site would otherwise overload a server that has just
    # started.
    since = _waiting.setdefault(row.id, now)
    is_overdue = age >= VERIFY and not (can_wait and now - since < VERIFY / 2)
    if not is_overdue and len(_waiting) < BATCH:
        return None
    ids = {row.id}
    with suppress(KeyError):
        while len(ids) <= BATCH:
            ids.add(_waiting.popitem()[0])
    found = standings(ids, thorough=True)
    for id, standing in found.items():
        if standing.is_live:
            _verified.put(id, now)
    standing = found[row.id]
    if standing.is_live:
        return None
    if not standing.is_recorded:
        record_endings([row.id])
    return standing
