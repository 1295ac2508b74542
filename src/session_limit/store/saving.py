"""Save, flush and delete sessions, and keep their ``UserSession`` rows up to date."""

from __future__ import annotations

import functools

from asgiref.sync import sync_to_async
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY

from session_limit import registry
from session_limit.models import EndReason, parse_uuid
from session_limit.registry.credentials import (
    credentials_reason,
    has_credentials,
    hash_is_valid,
)
from session_limit.registry.ending import end_row, try_to_end
from session_limit.registry.sign_ins import end_former
from session_limit.store import copies, engines, queries
from session_limit.store.base import Base
from session_limit.store.liveness import Row
from session_limit.store.state import Found, Kind
from session_limit.store.unstored_keys import identify_key
from session_limit.store.users import user_of
from session_limit.utils import auth_calls


class Saving(Base):
    """A session mixin that updates the ``UserSession`` row when the session changes."""

    def save(self, must_create: bool = False) -> None:
        if not must_create:
            self._get_session()
        if self._has_nothing_to_save():
            return
        self._sync_id()
        super().save(must_create)

    async def asave(self, must_create: bool = False) -> None:
        if not must_create:
            await self._aget_session()
        if self._has_nothing_to_save():
            return
        if self._is_unsynced():
            await sync_to_async(self._sync_id)()
        await super().asave(must_create)

    def _has_nothing_to_save(self) -> bool:
        state, response = self.session_limit_state, self.session_limit_state.response
        if response.untouched or state.found.ended_during_request:
            return True
        return response.saved is not None and response.saved == self._state()

    def save_for_response(self) -> None:
        """Save the session now, so that ``SessionMiddleware`` need not save it."""
        self.save()
        state = self.session_limit_state
        state.response = state.response._replace(saved=self._state())

    def _state(self) -> tuple[str | None, bytes]:
        return self.session_key, copies.dumped(self._session_cache, self)

    def _is_unsynced(self) -> bool:
        """
        Return whether the session data may disagree with its ``UserSession`` row.

        The caller must then call ``_sync_id()``. This check does not read the database.
        """
        data, state = getattr(self, "_session_cache", {}), self.session_limit_state
        if state.row is None:
            found = state.found
            may_have_ended = found.ended_id is not None or found.is_not_stored
            return state.cleared_unread or (bool(data) and may_have_ended)
        id, user_id = data.get(engines.ID), data.get(SESSION_KEY)
        return id != state.row.id.hex or not state.row.belongs_to(user_id)

    def _sync_id(self) -> None:
        """
        Make the session data and its ``UserSession`` row agree.

        If other code has overwritten the row's id in the data, restore the id. If other
        code has emptied the session or changed its user, end the row. If an anonymous
        session replaces an ended session, record the id of the ended session in the
        data.
        """
        if not self._is_unsynced():
            return
        data, state = self._session_cache, self.session_limit_state
        if state.cleared_unread:
            state.cleared_unread = False
            data_before = engines.read(self.session_key or "")
            if data_before:
                state.loaded_key = self.session_key
            elif data_before is not None:
                # load() would also drop a key under which nothing is stored.
                self._session_key = None
            id = parse_uuid((data_before or {}).get(engines.ID))
            row = queries.read(id) if id is not None else None
            if row is not None and row.ended_at is None:
                state.found = Found(Kind.LIVE, row)
        if state.row is None and SESSION_KEY in data:
            data.pop(engines.ENDED_ID, None)
        elif state.row is None:
            identify_key(state)
            if state.found.ended_id is not None:
                data[engines.ENDED_ID] = state.found.ended_id.hex
        elif state.row.belongs_to(data.get(SESSION_KEY)):
            data[engines.ID] = state.row.id.hex
        else:
            data.pop(engines.ID, None)
            end_row(state.row.id, EndReason.SIGNED_OUT)
            state.found = Found()

    def delete(self, session_key: str | None = None) -> None:
        if engines.is_plain_db(self.engine):
            # Django's delete() reads first, and finds nothing if a replica lags.
            self._delete_row(session_key or self.session_key)
        else:
            super().delete(session_key)

    async def adelete(self, session_key: str | None = None) -> None:
        if engines.is_plain_db(self.engine):
            await sync_to_async(self._delete_row)(session_key or self.session_key)
        else:
            await super().adelete(session_key)

    def _delete_row(self, key: str | None) -> None:
        if key is not None:
            engines.rows(self.model, [key]).delete()

    def clear(self) -> None:
        if not hasattr(self, "_session_cache"):
            self.session_limit_state.cleared_unread = self.session_key is not None
        super().clear()

    def flush(self) -> None:
        caller = auth_calls.caller()
        self._get_session()
        if not self._end_flushed(caller):
            super().flush()

    async def aflush(self) -> None:
        caller = auth_calls.caller()
        await self._aget_session()
        state = self.session_limit_state
        uses_database = (
            state.row is not None
            or state.replaced is not None
            or self._is_unsynced()
            or (caller in auth_calls.LOGOUT and state.found.is_not_stored)
        )
        end_flushed = functools.partial(self._end_flushed, caller)
        if not (await sync_to_async(end_flushed)() if uses_database else end_flushed()):
            await super().aflush()

    def _end_flushed(self, caller: str) -> bool:
        """
        End the session to be flushed, and return whether to skip Django's ``flush()``.

        ``caller`` is the function of ``django.contrib.auth`` that flushes the session,
        or ``""`` for other code. Return ``True`` in two cases:

        - The session ends because its authentication hash is no longer valid. The user
          has not signed out, so the response must still explain the ending.
        - ``login()`` flushes the session of somebody else. That session does not end
          until the sign-in is admitted, because the sign-in may be refused.
        """
        self._sync_id()
        state, sign_in = self.session_limit_state, self.session_limit_state.sign_in
        if caller in auth_calls.LOGOUT and state.found.is_not_stored:
            self._sign_out_unread()
        row = state.row
        reason: EndReason | None = EndReason.SIGNED_OUT
        if row is not None and caller not in auth_calls.LOGOUT:
            reason = self._reason_for_flush(row)
        is_signed_in = row is not None or SESSION_KEY in self._session_cache
        is_switch = caller in auth_calls.LOGIN and reason is EndReason.SIGNED_OUT
        if is_switch and is_signed_in:
            self.remember_before_login(replaces=True)
            state.found = Found()
            self.clear()
            self._session_key = None
            return True
        if state.replaced is not None:
            # After a failed login(), the request signs out whoever was signed in.
            end_former(state.replaced.former())
        # Undoing a later sign-in must restore an empty session under a new key.
        sign_in.loaded, sign_in.before_login, state.loaded_key = {}, None, None
        sign_in.has_changed_key = True
        if not state.found.ended_during_request:
            state.found = Found()
        if row is None:
            return False
        if reason is None:
            # Treat the old copy as if nothing were stored under its key.
            state.found = Found(Kind.NOT_STORED)
            return False
        if reason is EndReason.SIGNED_OUT:
            end_row(row.id, reason)
            return False
        try_to_end(row.id, reason)
        self.mark_ended(row.id, reason)
        self.modified = False
        return True

    def _sign_out_unread(self) -> None:
        """
        End the live session to which the key in the client's cookie belongs.

        No data is stored under the key. Another tab may have changed the key after this
        request was sent, or the store may have dropped the data.
        """
        key = self.session_limit_state.presented_key
        if key is not None and engines.may_have_stored(key):
            id = queries.find_live_by_key(key)
            if id is not None:
                registry.end([id], EndReason.SIGNED_OUT)

    def _reason_for_flush(self, row: Row) -> EndReason | None:
        """
        Return why this session is being flushed, or ``None`` for an outdated copy.

        A session is flushed if another user signs in, or if ``auth.get_user()`` finds
        that the authentication hash is no longer valid. An outdated copy of the data is
        from before the session's hash was changed.
        """
        session_hash = self.get(HASH_SESSION_KEY, "")
        user = user_of(self._session_cache)
        if user is None or hash_is_valid(session_hash, user):
            return EndReason.SIGNED_OUT
        if not has_credentials(row.id, session_hash):
            return None
        return credentials_reason(row.authenticated_at, user)
