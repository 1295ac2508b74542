"""Loading: what an ended session stored, nobody gets to see."""

from __future__ import annotations

from typing import Any, cast

from asgiref.sync import sync_to_async
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.base_session import AbstractBaseSession
from django.utils import timezone

from session_limit import registry
from session_limit.models import UserSession, parse_uuid
from session_limit.store import engines, queries
from session_limit.store.base import Base
from session_limit.store.queries import Row
from session_limit.store.users import user_of

Reason = UserSession.Reason


class Loading(Base):
    """Verifies what is loaded, in the same statement where that can be."""

    def load(self) -> dict[str, Any]:
        is_plain_db = engines.is_plain_db(self.engine)
        using = queries.shares_alias(self.model) if is_plain_db else None
        if using is None:
            return self._verified(super().load(), None)
        key = cast("str", self.session_key)
        found = queries.read_with_stored(key, self.model, using)
        if found is None:
            self._session_key = None
            return self._verified({}, None)
        data, row = found
        return self._verified(self.decode(data), row)

    async def aload(self) -> dict[str, Any]:
        if engines.loads_alike(self.engine):
            return await sync_to_async(self.load)()
        data = await super().aload()
        if SESSION_KEY not in data:
            return self._verified(data, None)
        return await sync_to_async(self._verified)(data, None)

    def _get_session_from_db(self) -> AbstractBaseSession | None:
        return self._exact(super()._get_session_from_db())

    async def _aget_session_from_db(self) -> AbstractBaseSession | None:
        return self._exact(await super()._aget_session_from_db())

    def _exact(self, found: AbstractBaseSession | None) -> AbstractBaseSession | None:
        """
        Return ``found`` if it is stored under exactly this key. MariaDB compares keys
        without regard to case, and would let a client choose the spelling.
        """
        if found is not None and found.session_key != self.session_key:
            self._session_key = None
            return None
        return found

    def _verified(self, data: dict[str, Any], row: Row | None) -> dict[str, Any]:
        """Return ``data``, or nothing where they are an ended session's."""
        state = self.session_limit_state
        # signed_cookies keeps the cookie's value for its key, whatever that is.
        state.loaded_key = self.session_key if data else None
        if SESSION_KEY not in data:
            state.missing = self.session_key is None
            state.ended_id = parse_uuid(data.get(engines.ENDED_ID))
            state.ended = engines.ENDED_ID in data
            state.loaded = {**data}
            return data
        if engines.ID not in data:
            if row is None:
                return self._adopted(data)
            # Adopted by a request whose response has not been saved.
            data[engines.ID] = row.id.hex
        if row is None or row.id.hex != data[engines.ID]:
            # The key was just rotated, or no key is recorded on this engine.
            id = parse_uuid(data[engines.ID])
            row = queries.read(id) if id is not None else None
        if row is None or not row.is_live_of(data[SESSION_KEY]):
            return self.mark_ended(parse_uuid(data[engines.ID]))
        if self._has_deadline(row) and row.is_due(timezone.now()):
            reason = Reason(row.expires_reason)
            registry.try_to_end(row.id, reason)
            return self.mark_ended(row.id, reason)
        state.row = row
        state.loaded_hash = data.get(HASH_SESSION_KEY)
        return data

    def _has_deadline(self, row: Row) -> bool:
        """
        Whether its time is ours to keep. Its own expiry is the engine's, but for a
        signed cookie, which knows of ``SESSION_COOKIE_AGE`` alone (#19201).
        """
        is_own = row.expires_reason == Reason.EXPIRED
        return not is_own or engines.is_cookie(self.engine)

    def _adopted(self, data: dict[str, Any]) -> dict[str, Any]:
        self._session_cache = data
        user, request = user_of(data), self.session_limit_state.request
        if user is None or request is None:
            # Nobody to Django either; or not yet the session of a request.
            return data
        self.session_limit_state.row = registry.adopt(user, request)
        if self.session_limit_state.row is None:
            return self.mark_ended(parse_uuid(data.get(engines.ID)))
        self.session_limit_state.adopted = True
        self.modified = True
        return data
