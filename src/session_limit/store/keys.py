"""Keys: a session goes on under a new one, and the row knows it first."""

from __future__ import annotations

from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib.sessions.backends.base import VALID_KEY_CHARS
from django.utils.crypto import get_random_string

from session_limit import registry
from session_limit.store import engines
from session_limit.store.saving import Saving

# As many characters as SessionBase._get_new_session_key() makes.
KEY_LENGTH = 32


class Keys(Saving):
    """Records a key before anything is stored under it."""

    def cycle_key(self) -> None:
        self.session_limit_state.before_login = {**self._get_session()}
        if self.session_limit_state.is_answered:
            # The cookie can no longer be set, so a new key would sign the browser out.
            return
        key = self._record_next_key()
        if self.session_limit_state.overtaken:
            return
        super().cycle_key()
        self._record_other_key(key)

    async def acycle_key(self) -> None:
        self.session_limit_state.before_login = {**await self._aget_session()}
        if self.session_limit_state.is_answered:
            return
        if self.session_limit_state.row is None and not self._is_unsettled():
            await super().acycle_key()
        else:
            # In one hop, for the engine's acycle_key() may well call cycle_key().
            await sync_to_async(self.cycle_key)()

    def _record_next_key(self) -> str | None:
        """
        Choose the key that the engine will give this session, and record it before
        anything is stored under it: session rows come before stored sessions in the
        lock order.
        """
        self._sync_id()
        state = self.session_limit_state
        if state.row is None or engines.is_cookie(self.engine):
            return None
        key = self._get_new_session_key()
        if self._record(state.row.id, key):
            state.next_key = key
        else:
            self.overtake()
        return key

    def _record_other_key(self, key: str | None) -> None:
        """Record the key of an engine that chose one of its own."""
        row = self.session_limit_state.row
        self.session_limit_state.next_key = None
        if row is not None and key not in {None, self.session_key}:
            self._record(row.id, self.session_key)

    def _record(self, id: UUID, key: str | None) -> bool:
        # Other tabs know the key that this request came with, however often it rotates.
        return registry.rekey(id, key, former=self.session_limit_state.presented_key)

    def _get_new_session_key(self) -> str:
        return self._next_key() or super()._get_new_session_key()

    async def _aget_new_session_key(self) -> str:
        return self._next_key() or await super()._aget_new_session_key()

    def _next_key(self) -> str | None:
        key, self.session_limit_state.next_key = self.session_limit_state.next_key, None
        if key is None and engines.is_plain_db(self.engine):
            # Django asks whether it is taken; create() finds that out by inserting.
            return get_random_string(KEY_LENGTH, VALID_KEY_CHARS)
        return key
