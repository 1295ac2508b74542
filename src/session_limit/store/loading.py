"""Load session data, and return no data for a session that has ended."""

from __future__ import annotations

from typing import Any, cast

from asgiref.sync import sync_to_async
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.base_session import AbstractBaseSession

from session_limit.models import parse_uuid, registry_alias
from session_limit.registry.activity import correct_key
from session_limit.registry.admission import adopt
from session_limit.registry.ending import try_to_end
from session_limit.registry.installations import is_from_earlier_installation
from session_limit.store import engines, queries
from session_limit.store.base import Base
from session_limit.store.joined_users import UserJoin, user_join
from session_limit.store.queries import RowAndUser
from session_limit.store.sign_in import sign_in_of
from session_limit.store.state import Found, Kind
from session_limit.store.users import is_left_alone, is_user, leave_alone, user_of
from session_limit.utils.clock import utc_now


class Loading(Base):
    """A session mixin that loads the data of a session only if the session is live."""

    def load(self) -> dict[str, Any]:
        beside_rows = queries.beside_rows(self.engine)
        if beside_rows is None:
            presented = self.session_key
            loaded = super().load()
            if not loaded and engines.may_keep_unstored_key(self, self.engine):
                engines.drop_unstored_key(self, presented)
            return self._verified(loaded, None)
        key = cast("str", self.session_key)
        found = queries.read_with_stored(key, *beside_rows, self._users())
        if found is None:
            self._session_key = None
            return self._verified({}, None)
        data, beside = found
        return self._verified(self.decode(data), beside)

    def _users(self) -> UserJoin | None:
        """Return how to read the user, too, or ``None`` if the request needs none."""
        # Only a request that passes through the middleware has a user.
        is_guarded = hasattr(type(self.session_limit_state.request), "session_limit")
        return user_join(registry_alias()) if is_guarded else None

    async def aload(self) -> dict[str, Any]:
        if engines.loads_alike(self.engine):
            return await sync_to_async(self.load)()
        presented = self.session_key
        data = await super().aload()
        if not data and engines.may_keep_unstored_key(self, self.engine):
            await sync_to_async(engines.drop_unstored_key)(self, presented)
        if SESSION_KEY not in data:
            return self._verified(data, None)
        return await sync_to_async(self._verified)(data, None)

    def _get_session_from_db(self) -> AbstractBaseSession | None:
        return self._exact(super()._get_session_from_db())

    async def _aget_session_from_db(self) -> AbstractBaseSession | None:
        return self._exact(await super()._aget_session_from_db())

    def _exact(self, found: AbstractBaseSession | None) -> AbstractBaseSession | None:
        """Return ``found``, or ``None`` if its key is not exactly the requested key."""
        # MariaDB ignores case when it compares keys, so a client could choose the
        # spelling of its key.
        if found is not None and found.session_key != self.session_key:
            self._session_key = None
            return None
        return found

    def _verified(
        self, data: dict[str, Any], found: RowAndUser | None
    ) -> dict[str, Any]:
        """
        Return the loaded session data, or empty data if the session is not live.

        ``found`` is the ``UserSession`` row with the session's key and its user, or
        ``None`` if that row does not exist or was not read.
        """
        state = self.session_limit_state
        # signed_cookies keeps the cookie's value as its key even if it is not valid.
        # An empty session may be stored, too, and keeps its key only then.
        is_stored = bool(data) or not engines.is_cookie(self.engine)
        state.loaded_key = self.session_key if is_stored else None
        if SESSION_KEY not in data:
            if self.session_key is None:
                state.found = Found(Kind.NOT_STORED)
            elif engines.ENDED_ID in data:
                ended_id = parse_uuid(data[engines.ENDED_ID])
                state.found = Found(Kind.ENDED, ended_id=ended_id)
            else:
                state.found = Found()
            state.sign_in.loaded = {**data}
            return data
        if engines.ID not in data:
            if found is None:
                return self._adopted(data)
            # Another request has adopted the session and has not saved its data yet.
            data[engines.ID] = found.row.id.hex
        if found is None or found.row.id.hex != data[engines.ID]:
            # The key was just changed, or the engine has no keys that could be
            # recorded.
            id = parse_uuid(data[engines.ID])
            found = queries.read_with_user(id, self._users()) if id else None
        if found is None:
            return self._without_row(data)
        row = found.row
        reason = row.why_not_live(
            utc_now(),
            user_id=data[SESSION_KEY],
            # signed_cookies enforces only SESSION_COOKIE_AGE (Django's ticket 19201).
            engine_expires=not engines.is_cookie(self.engine),
        )
        if reason is None:
            correct_key(row, self.session_key)
            state.found = Found(Kind.LIVE, row, data.get(HASH_SESSION_KEY))
            state.keep_user(found.user)
            return data
        if reason:
            try_to_end(row.id, reason)
        return self.mark_ended(row.id, reason or None)

    def _without_row(self, data: dict[str, Any]) -> dict[str, Any]:
        """
        Return the loaded session data, whose id names no row, or empty data.

        If an earlier installation of this package recorded the session, the session is
        adopted. Otherwise the session has ended, and its row was deleted.
        """
        id = parse_uuid(data[engines.ID])
        if id is None or not is_from_earlier_installation(id, data[SESSION_KEY]):
            return self.mark_ended(id)
        del data[engines.ID]
        return self._adopted(data)

    def _adopted(self, data: dict[str, Any]) -> dict[str, Any]:
        """
        Create the ``UserSession`` row of a signed-in session that has no row yet.

        Return the session data, or empty data if the limit does not allow the session.
        """
        self._session_cache = data
        if is_left_alone(data):
            return data
        user, state = user_of(data), self.session_limit_state
        if user is None or state.request is None:
            # Django finds no user either, or no request has this session yet.
            return data
        if not is_user(user):
            leave_alone(self, user)
            return data
        row = adopt(sign_in_of(user, state.request, adopted=True))
        if row is None:
            return self.mark_ended(parse_uuid(data.get(engines.ID)))
        state.found = Found(Kind.LIVE, row)
        state.sign_in.adopted = True
        self.modified = True
        return data
