"""
The guarded session: the project's own engine under a mixin, so that everything that
reads an ended session, not ``request.user`` alone, sees an empty one.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.base import (
    VALID_KEY_CHARS,
    CreateError,
    SessionBase,
)
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import get_random_string

from session_limit import registry, stored, verify
from session_limit.models import UserSession, session_id
from session_limit.state import Guard
from session_limit.users import user_of
from session_limit.verify import Row

Reason = UserSession.Reason

KEY_LENGTH = 32


if TYPE_CHECKING:
    from django.contrib.sessions.backends.db import SessionStore

    class _Engine(SessionStore):
        """An engine's class, with what the stubs leave out."""

        _session_cache: dict[str, Any]

        def _get_session(self) -> dict[str, Any]: ...
        async def _aget_session(self) -> dict[str, Any]: ...
        def _get_new_session_key(self) -> str: ...
        async def _aget_new_session_key(self) -> str: ...
else:
    _Engine = object


class GuardedSession(_Engine):
    """The mixin. Whatever it does not mention is the engine's."""

    guard: Guard
    engine: type[SessionBase]

    def __init__(self, session_key: str | None = None, *args: Any, **kwargs: Any):
        # By code that puts another session in place of the request's own (allauth).
        super().__init__(session_key, *args, **kwargs)
        self.guard = Guard(session_key)

    # Loading

    def load(self) -> dict[str, Any]:
        if not stored.is_plain_db(self.engine):
            return self._verified(super().load(), None)
        using = verify.shares_alias(self.model)
        if using is None:
            return self._verified(super().load(), None)
        key = cast("str", self.session_key)
        found = verify.read_with_stored(key, self.model, using)
        if found is None:
            self._session_key = None
            return self._verified({}, None)
        data, row = found
        return self._verified(self.decode(data), row)

    async def aload(self) -> dict[str, Any]:
        if stored.loads_in_a_thread(self.engine):
            return await sync_to_async(self.load)()
        data = await super().aload()
        if SESSION_KEY not in data:
            return self._verified(data, None)
        return await sync_to_async(self._verified)(data, None)

    def _verified(self, data: dict[str, Any], row: Row | None) -> dict[str, Any]:
        """Return ``data``, or nothing where they are an ended session's."""
        guard = self.guard
        if SESSION_KEY not in data:
            guard.missing = self.session_key is None
            guard.ended_id = session_id(data.get(stored.ENDED_ID))
            guard.ended = stored.ENDED_ID in data
            return data
        if stored.ID not in data:
            if row is None:
                return self._adopted(data)
            # Adopted by a request whose response has not been saved.
            data[stored.ID] = row.id.hex
        id = session_id(data[stored.ID])
        if id is None:
            return self.make_ended(None)
        if row is None or row.id != id:
            # The key was just rotated, or no key is recorded on this engine.
            row = verify.read(id)
        if row is None or row.ended_at or not row.belongs_to(data[SESSION_KEY]):
            return self.make_ended(id)
        if row.expires_reason != Reason.EXPIRED and row.is_due(timezone.now()):
            registry.end([row.id], Reason(row.expires_reason))
            return self.make_ended(id)
        guard.row = row
        guard.loaded_hash = data.get(HASH_SESSION_KEY)
        return data

    def _adopted(self, data: dict[str, Any]) -> dict[str, Any]:
        self._session_cache = data
        user, request = user_of(data), self.guard.request
        if user is None or request is None:
            # Nobody to Django either; or not yet the session of a request.
            return data
        self.guard.row = registry.adopt(user, request)
        if self.guard.row is None:
            return self.make_ended(session_id(data.get(stored.ID)))
        self.guard.adopted = True
        self.modified = True
        return data

    def make_ended(self, id: UUID | None) -> dict[str, Any]:
        """Make this an ended session: empty, whatever was loaded."""
        self.guard.row = None
        self.guard.ended = True
        self.guard.ended_id = id
        # What is written from here on is another, anonymous session.
        self._session_key = None
        self._session_cache = {}
        return self._session_cache

    def overtake(self) -> None:
        """Make this a session that ended under its request."""
        row = self.guard.row
        self.guard.overtaken = True
        self.make_ended(row.id if row else self.guard.ended_id)

    def let_be(self) -> None:
        """
        Have ``SessionMiddleware`` neither save it nor touch the client's cookie, even
        under ``SESSION_SAVE_EVERY_REQUEST``: an empty session is not saved, and where
        no cookie came none is deleted.
        """
        self.guard.inert = True
        self.modified = False
        if self.guard.request is not None:
            self.guard.request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)

    def is_empty(self) -> bool:
        return self.guard.inert or super().is_empty()

    def forget_ended(self) -> None:
        """Drop what remembers an ended session: its reason has been told."""
        self.guard.ended_id = None
        self.pop(stored.ENDED_ID, None)
        if not self._session_cache:
            self.flush()

    def restore_anonymous(self) -> None:
        """
        After a refused sign-in, put what it left of the anonymous session back under
        the key that the client has. No new cookie: it would replace the one that
        another tab of the same browser may just have been admitted with.
        """
        key, presented_key = self.session_key, self.guard.presented_key
        data = self._session_cache
        if key is not None and key != presented_key:
            self.delete(key)
        if data and presented_key is None:
            self._session_key = None
            self.modified = True
            return
        if data and key != presented_key:
            self._session_key = presented_key
            with contextlib.suppress(CreateError):  # a rollback was there before us
                self.save(must_create=True)
        self.let_be()

    # Saving

    def save(self, must_create: bool = False) -> None:
        if not must_create:
            self._get_session()
        if self._has_nothing_to_save():
            return
        self._settle()
        super().save(must_create)

    async def asave(self, must_create: bool = False) -> None:
        if not must_create:
            await self._aget_session()
        if self._has_nothing_to_save():
            return
        if self._is_unsettled():
            await sync_to_async(self._settle)()
        await super().asave(must_create)

    def _has_nothing_to_save(self) -> bool:
        guard = self.guard
        if guard.inert or guard.overtaken:
            return True
        return guard.saved is not None and guard.saved == self._state()

    def save_for_response(self) -> None:
        """
        Save, so that ``SessionMiddleware``, which is about to save the same state,
        finds that done.
        """
        self.save()
        self.guard.saved = self._state()

    def _state(self) -> tuple[str | None, bytes]:
        return self.session_key, self.serializer().dumps(self._session_cache)

    def _is_unsettled(self) -> bool:
        data, guard = getattr(self, "_session_cache", {}), self.guard
        if guard.row is None:
            return guard.cleared_unread or (bool(data) and guard.ended_id is not None)
        id, user_id = data.get(stored.ID), data.get(SESSION_KEY)
        return id != guard.row.id.hex or not guard.row.belongs_to(user_id)

    def _settle(self) -> None:
        """
        Keep data and row together: put back an id that code has overwritten, end the
        row of a session that code has emptied, keep the reason of a dead one.
        """
        if not self._is_unsettled():
            return
        data, guard = self._session_cache, self.guard
        if guard.cleared_unread:
            guard.cleared_unread = False
            row = verify.read_by_digest(stored.digest(self.session_key))
            guard.row = row if row is not None and row.ended_at is None else None
        if guard.row is None:
            if SESSION_KEY in data:
                data.pop(stored.ENDED_ID, None)
            elif guard.ended_id is not None:
                data[stored.ENDED_ID] = guard.ended_id.hex
        elif guard.row.belongs_to(data.get(SESSION_KEY)):
            data[stored.ID] = guard.row.id.hex
        else:
            data.pop(stored.ID, None)
            registry.end_row(guard.row.id, Reason.SIGNED_OUT)
            guard.row = None

    # Deleting

    def delete(self, session_key: str | None = None) -> None:
        if stored.is_plain_db(self.engine):
            # In one statement, on the alias that writes: Django's reads first, and
            # a replica that lags has nothing to delete yet.
            self._delete_row(session_key or self.session_key)
        else:
            super().delete(session_key)

    async def adelete(self, session_key: str | None = None) -> None:
        if stored.is_plain_db(self.engine):
            await sync_to_async(self._delete_row)(session_key or self.session_key)
        else:
            await super().adelete(session_key)

    def _delete_row(self, key: str | None) -> None:
        if key is not None:
            stored.rows(self.model, [key]).delete()

    def clear(self) -> None:
        if not hasattr(self, "_session_cache"):
            self.guard.cleared_unread = self.session_key is not None
        super().clear()

    def flush(self) -> None:
        self._get_session()
        told_id = self._end_flushed()
        super().flush()
        self._show_ended(told_id)

    async def aflush(self) -> None:
        await self._aget_session()
        has_row = self.guard.row is not None or self.guard.cleared_unread
        end_flushed = self._end_flushed
        told_id = await sync_to_async(end_flushed)() if has_row else end_flushed()
        await super().aflush()
        self._show_ended(told_id)

    def _end_flushed(self) -> UUID | None:
        """
        End the row; return its id where nobody asked for that, so that whoever bears
        the cookie has to be told.
        """
        self._settle()
        guard = self.guard
        row, guard.row = guard.row, None
        guard.ended, guard.ended_id, guard.missing = False, None, False
        if row is None:
            return None
        reason = self._reason_for_flush(row)
        registry.end_row(row.id, reason)
        return None if reason is Reason.SIGNED_OUT else row.id

    def _show_ended(self, id: UUID | None) -> None:
        if id is not None:
            self.make_ended(id)
            self.modified = False

    def _reason_for_flush(self, row: Row) -> Reason:
        """
        Return why Django empties this session: a sign-out, or another user's
        sign-in; or its hash no longer verifies (``auth.get_user()``).
        """
        if self.guard.signing_out:
            return Reason.SIGNED_OUT
        user = user_of(self._session_cache)
        if user is None or registry.verifies(self.get(HASH_SESSION_KEY, ""), user):
            return Reason.SIGNED_OUT
        return registry.credentials_reason(row.authenticated_at, user)

    # Keys

    def cycle_key(self) -> None:
        self._get_session()
        key = self._record_next_key()
        if self.guard.overtaken:
            return
        super().cycle_key()
        self._record_other_key(key)

    async def acycle_key(self) -> None:
        await self._aget_session()
        if self.guard.row is None:
            await super().acycle_key()
            return
        key = await sync_to_async(self._record_next_key)()
        if self.guard.overtaken:
            return
        await super().acycle_key()
        if key != self.session_key:
            await sync_to_async(self._record_other_key)(key)

    def _record_next_key(self) -> str | None:
        """
        Choose the key that the engine will give this session, and record it before
        anything is stored under it: session rows come before stored sessions in the
        lock order.
        """
        self._settle()
        guard = self.guard
        if guard.row is None:
            return None
        key = self._get_new_session_key()
        if registry.rekey(guard.row.id, key):
            guard.next_key = key
        else:
            self.overtake()
        return key

    def _record_other_key(self, key: str | None) -> None:
        """Record the key of an engine that chose one of its own."""
        row = self.guard.row
        self.guard.next_key = None
        if row is not None and key != self.session_key:
            registry.rekey(row.id, self.session_key)

    def _get_new_session_key(self) -> str:
        return self._next_key() or super()._get_new_session_key()

    async def _aget_new_session_key(self) -> str:
        return self._next_key() or await super()._aget_new_session_key()

    def _next_key(self) -> str | None:
        key, self.guard.next_key = self.guard.next_key, None
        if key is None and stored.is_plain_db(self.engine):
            # Django asks whether it is taken; create() finds that out by inserting.
            return get_random_string(KEY_LENGTH, VALID_KEY_CHARS)
        return key


@functools.cache
def _guarded(engine: type[SessionBase]) -> type[GuardedSession]:
    """
    Return the engine's class under the mixin. The name stays: the salt under which
    sessions are signed is made of it (``SessionBase.key_salt``).
    """
    names = {"__module__": engine.__module__, "__qualname__": engine.__qualname__}
    bases = (GuardedSession, engine)
    return type(engine.__name__, bases, {**names, "engine": engine})


def guard(request: HttpRequest) -> None:
    """
    Guard ``request.session``, if it has one. Nothing is loaded yet. The object stays,
    with whatever the engine's constructor gave it.
    """
    session = getattr(request, "session", None)
    if isinstance(session, SessionBase) and not isinstance(session, GuardedSession):
        session.__class__ = _guarded(type(session))
        cast("GuardedSession", session).guard = Guard(session.session_key, request)
