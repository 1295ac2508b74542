"""
An engine that stores an empty session if it finds none, as django-user-sessions does.

The empty session has a new key.
"""

from django.contrib.sessions.backends.base import SessionBase

from tests.engines import keeping


class SessionStore(keeping.SessionStore):
    _validate_session_key = SessionBase._validate_session_key
    _get_new_session_key = SessionBase._get_new_session_key

    def load(self):
        if self.exists(self.session_key):
            return super().load()
        self.create()
        return {}

    def create(self):
        super().create()
        self._session_cache = {}
