"""Record a new session key before the session engine stores data under the key."""

from __future__ import annotations

from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib.sessions.backends.base import VALID_KEY_CHARS
from django.utils.crypto import get_random_string

from session_limit.registry.activity import rekey
from session_limit.store import engines
from session_limit.store.saving import Saving

# The length of the keys that SessionBase._get_new_session_key() makes.
KEY_LENGTH = 32


class Keys(Saving):
    """A mixin that records new session keys (cookie values) in ``UserSession`` rows."""

    def cycle_key(self) -> None:
        state = self.session_limit_state
        self._get_session()
        self.remember_before_login()
        if state.is_answered:
            # The cookie can no longer be set, so a new key would sign the browser out.
            return
        key = self._record_next_key()
        if state.found.ended_during_request:
            return
        super().cycle_key()
        self._record_other_key(key)

    async def acycle_key(self) -> None:
        state = self.session_limit_state
        await self._aget_session()
        self.remember_before_login()
        if state.is_answered:
            return
        if state.row is None and not self._is_unsynced():
            await super().acycle_key()
        else:
            # Use one thread, because the engine's acycle_key() may call cycle_key().
            await sync_to_async(self.cycle_key)()

    def _record_next_key(self) -> str | None:
        """
        Generate a session key, record it in the ``UserSession`` row, and return it.

        Return ``None`` if the session is not live or if a cookie holds its data.
        """
        self._sync_id()
        state = self.session_limit_state
        if state.row is None or engines.is_cookie(self.engine):
            return None
        # Transactions lock UserSession rows before stored sessions, so record the key
        # before the engine stores anything under it.
        key = self._get_new_session_key()
        if self._record(state.row.id, key):
            state.next_key = key
        else:
            self.mark_ended(state.row.id, during_request=True)
        return key

    def _record_other_key(self, key: str | None) -> None:
        """Record the actual key if the engine did not use the generated ``key``."""
        row = self.session_limit_state.row
        self.session_limit_state.next_key = None
        if row is not None and key not in {None, self.session_key}:
            self._record(row.id, self.session_key)

    def _record(self, id: UUID, key: str | None) -> bool:
        # Other tabs still send the key that this request came with, even if this
        # request changes the key more than once.
        return rekey(id, key, former=self.session_limit_state.presented_key)

    def _get_new_session_key(self) -> str:
        return self._next_key() or super()._get_new_session_key()

    async def _aget_new_session_key(self) -> str:
        return self._next_key() or await super()._aget_new_session_key()

    def _next_key(self) -> str | None:
        key, self.session_limit_state.next_key = self.session_limit_state.next_key, None
        if key is None and engines.finds_keys_in_use(self.engine):
            # Django's method reads whether the key is in use. create() finds out by
            # inserting.
            return get_random_string(KEY_LENGTH, VALID_KEY_CHARS)
        return key
