"""Saving and deleting: what is stored, and the row, keep together."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY

from session_limit import registry
from session_limit.models import UserSession, parse_uuid
from session_limit.store import engines, queries
from session_limit.store.base import Base
from session_limit.store.queries import Row
from session_limit.store.users import user_of

Reason = UserSession.Reason


class Saving(Base):
    """Ends the row of a session that is emptied, and lets no id be lost."""

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
        if self._is_unsettled():
            await sync_to_async(self._sync_id)()
        await super().asave(must_create)

    def _has_nothing_to_save(self) -> bool:
        state = self.session_limit_state
        if state.inert or state.overtaken:
            return True
        return state.saved is not None and state.saved == self._state()

    def save_for_response(self) -> None:
        """
        Save, so that ``SessionMiddleware``, which is about to save the same state,
        finds that done.
        """
        self.save()
        self.session_limit_state.saved = self._state()

    def _state(self) -> tuple[str | None, bytes]:
        return self.session_key, self.serializer().dumps(self._session_cache)

    def _is_unsettled(self) -> bool:
        data, state = getattr(self, "_session_cache", {}), self.session_limit_state
        if state.row is None:
            may_be_dead = state.ended_id is not None or state.missing
            return state.cleared_unread or (bool(data) and may_be_dead)
        id, user_id = data.get(engines.ID), data.get(SESSION_KEY)
        return id != state.row.id.hex or not state.row.belongs_to(user_id)

    def _sync_id(self) -> None:
        """
        Keep data and row together: put back an id that code has overwritten, end the
        row of a session that code has emptied, keep the reason of a dead one.
        """
        if not self._is_unsettled():
            return
        data, state = self._session_cache, self.session_limit_state
        if state.cleared_unread:
            state.cleared_unread = False
            data_before = engines.read(self.session_key or "")
            if data_before:
                state.loaded_key = self.session_key
            elif data_before is not None:
                # As load() does: drop a key under which the store holds nothing.
                self._session_key = None
            id = parse_uuid((data_before or {}).get(engines.ID))
            row = queries.read(id) if id is not None else None
            state.row = row if row is not None and row.ended_at is None else None
        if state.row is None and SESSION_KEY in data:
            data.pop(engines.ENDED_ID, None)
        elif state.row is None:
            state.identify()
            if state.ended_id is not None:
                data[engines.ENDED_ID] = state.ended_id.hex
        elif state.row.belongs_to(data.get(SESSION_KEY)):
            data[engines.ID] = state.row.id.hex
        else:
            data.pop(engines.ID, None)
            registry.end_row(state.row.id, Reason.SIGNED_OUT)
            state.row = None

    def delete(self, session_key: str | None = None) -> None:
        if engines.is_plain_db(self.engine):
            # In one statement, on the alias that writes: Django's reads first, and
            # a replica that lags has nothing to delete yet.
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
        self._get_session()
        if not self._end_flushed():
            super().flush()
        self.session_limit_state.loaded = self.session_limit_state.before_login = {}

    async def aflush(self) -> None:
        await self._aget_session()
        asks = (
            self.session_limit_state.row is not None
            or self._is_unsettled()
            or self._signs_out_unread()
        )
        end_flushed = self._end_flushed
        if not (await sync_to_async(end_flushed)() if asks else end_flushed()):
            await super().aflush()
        self.session_limit_state.loaded = self.session_limit_state.before_login = {}

    def _end_flushed(self) -> bool:
        """
        End the session that is about to be emptied. Return whether that leaves nothing
        to empty: Django flushes a session that reads as ended, which is no sign-out,
        and the browser still has to learn why it ended.
        """
        self._sync_id()
        state = self.session_limit_state
        if self._signs_out_unread():
            self._sign_out_unread()
        row, state.row = state.row, None
        state.ended, state.ended_id, state.missing = False, None, False
        if row is None:
            return False
        reason = self._reason_for_flush(row)
        if reason is None:
            # As if nothing had been found under this key.
            state.missing = True
            return False
        if reason is Reason.SIGNED_OUT:
            registry.end_row(row.id, reason)
            return False
        registry.try_to_end(row.id, reason)
        self.mark_ended(row.id, reason)
        self.modified = False
        return True

    def _signs_out_unread(self) -> bool:
        """Return whether somebody signs out with a key that nothing is stored under."""
        return self.session_limit_state.signing_out and self.session_limit_state.missing

    def _sign_out_unread(self) -> None:
        """
        End the session that the presented key belongs to: another tab may have rotated
        it since this request was sent, or the store may have lost it.
        """
        key = engines.storable(self.session_limit_state.presented_key)
        id = queries.read_by_lost_key(key) if key is not None else None
        if id is not None:
            registry.end([id], Reason.SIGNED_OUT)

    def _reason_for_flush(self, row: Row) -> Reason | None:
        """
        Return why Django empties this session: a sign-out, or another user's
        sign-in; or its hash no longer verifies (``auth.get_user()``). ``None``: it is
        an old copy of one that goes by a newer hash.
        """
        if self.session_limit_state.signing_out:
            return Reason.SIGNED_OUT
        session_hash = self.get(HASH_SESSION_KEY, "")
        user = user_of(self._session_cache)
        if user is None or registry.hash_is_valid(session_hash, user):
            return Reason.SIGNED_OUT
        if not registry.has_credentials(row.id, session_hash):
            return None
        return registry.credentials_reason(row.authenticated_at, user)
