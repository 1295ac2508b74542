"""The ``cached_db`` engine with keys of its own."""

from django.contrib.sessions.backends.cached_db import SessionStore as CachedStore

from tests.engines import prefixed


class SessionStore(CachedStore):
    _get_new_session_key = prefixed.SessionStore._get_new_session_key
    _aget_new_session_key = prefixed.SessionStore._aget_new_session_key
