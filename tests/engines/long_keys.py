"""An engine with keys that are longer than the column that records keys."""

from django.utils.crypto import get_random_string

from tests.engines import keeping


class SessionStore(keeping.SessionStore):
    prefix = "long."

    def _get_new_session_key(self):
        return self.prefix + get_random_string(59)
