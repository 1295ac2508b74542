"""The ``db`` engine with a ``create()`` that makes its own keys."""

from asgiref.sync import sync_to_async
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils.crypto import get_random_string


class SessionStore(DatabaseStore):
    def create(self):
        self._session_key = "crt" + get_random_string(36)
        self.save(must_create=True)
        self.modified = True

    async def acreate(self):
        await sync_to_async(self.create)()
