"""
An engine that keeps a key under which nothing is stored, as django-redis-sessions does.

It derives from ``SessionBase`` and defines no async method. Its setter accepts only
keys of the engine's own form.
"""

from django.contrib.sessions.backends.base import CreateError, SessionBase
from django.utils.crypto import get_random_string

# The encoded data of each stored session, by key.
stored = {}


class SessionStore(SessionBase):
    prefix = "kept:"

    def _validate_session_key(self, key):
        return key and key.startswith(self.prefix) and len(key) > len(self.prefix)

    def _get_new_session_key(self):
        return self.prefix + get_random_string(32)

    def load(self):
        data = stored.get(self.session_key)
        return {} if data is None else self.decode(data)

    def exists(self, session_key):
        return session_key in stored

    def create(self):
        self._session_key = self._get_new_session_key()
        self.save(must_create=True)
        self.modified = True

    def save(self, must_create=False):
        if self.session_key is None:
            return self.create()
        if must_create and self.exists(self.session_key):
            raise CreateError
        data = self._get_session(no_load=must_create)
        stored[self._get_or_create_session_key()] = self.encode(data)
        return None

    def delete(self, session_key=None):
        stored.pop(session_key or self.session_key, None)

    @classmethod
    def clear_expired(cls):
        pass
