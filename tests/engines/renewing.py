"""
An engine that stores an empty session if it finds none, as django-user-sessions does.

The empty session has a new key. The engine also stores the id of the user beside the
data.
"""

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase

from tests.engines import keeping

# The id of the user of each stored session, by key.
users = {}


class SessionStore(keeping.SessionStore):
    user_id = None

    _validate_session_key = SessionBase._validate_session_key
    _get_new_session_key = SessionBase._get_new_session_key

    def load(self):
        if self.exists(self.session_key):
            self.user_id = users[self.session_key]
            return super().load()
        self.create()
        return {}

    def create(self):
        super().create()
        self._session_cache = {}

    def save(self, must_create=False):
        super().save(must_create)
        users[self.session_key] = self.user_id

    def __setitem__(self, name, value):
        if name == SESSION_KEY:
            self.user_id = value
        super().__setitem__(name, value)

    def clear(self):
        super().clear()
        self.user_id = None
