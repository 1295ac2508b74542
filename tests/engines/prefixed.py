"""The ``db`` engine with keys of its own, as ``_get_new_session_key()`` makes them."""

from asgiref.sync import sync_to_async
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils.crypto import get_random_string


class SessionStore(DatabaseStore):
    def _get_new_session_key(self):
        while True:
            key = "Site_1-" + get_random_string(33)
            if not self.exists(key):
                return key

    async def _aget_new_session_key(self):
        return await sync_to_async(self._get_new_session_key)()
