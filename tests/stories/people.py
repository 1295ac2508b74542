"""
Define the people and the browsers of the stories.

A ``Visitor`` is one browser. Its requests are either sync, as under WSGI, or async, as
under ASGI with async views. The stories are the same for both.
"""

from __future__ import annotations

import json
from contextlib import contextmanager

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

from session_limit.models import STORED_WITHIN, DatabaseNow, UserSession
from session_limit.testing import LAPTOP, AsyncBrowser, Browser
from tests import stores
from tests.blocking import blocking

PASSWORD = "correct horse"
TABLET = (
    "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)
JSON = {"Accept": "application/json"}

SIGNED_IN = "signed in"
NOBODY = "nobody"

TRANSACTION_CONTROL = (
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT",
    "RELEASE",
    "SET TRANSACTION",
    # This makes the commit of PostgreSQL durable.
    "SELECT CASE WHEN CURRENT_SETTING('SYNCHRONOUS_COMMIT'",
)


class Visitor:
    """
    One browser of one person.

    ``headers`` are sent with every request.
    """

    def __init__(self, user_agent=LAPTOP, *, is_async=False, headers=None):
        self.is_async = is_async
        self.user_agent = user_agent
        self.headers = headers or {}
        self.client = (AsyncBrowser if is_async else Browser)(user_agent)

    def __repr__(self):
        return f"<{'async' if self.is_async else 'sync'} visitor>"

    def call(self, name, *args, **kwargs):
        """Call a method of the test client, and wait if it is async."""
        method = blocking(getattr(self.client, name))
        response = method(*args, **kwargs)
        self._drop_deleted_cookies()
        return response

    def _drop_deleted_cookies(self):
        # A browser drops these cookies. Django's client goes on sending empty ones.
        for name, morsel in list(self.client.cookies.items()):
            if morsel["max-age"] == 0:
                del self.client.cookies[name]

    def path(self, name):
        """Return the path of the sync or async version of a view."""
        return f"/a{name}/" if self.is_async else f"/{name}/"

    def get(self, path, *, headers=None, **kwargs):
        headers = {**self.headers, **(headers or {})}
        return self.call("get", path, headers=headers, **kwargs)

    def post(self, path, data=None, *, headers=None, **kwargs):
        headers = {**self.headers, **(headers or {})}
        return self.call("post", path, data or {}, headers=headers, **kwargs)

    # What people do

    def sign_in(self, name="ada", password=PASSWORD, path=None, **kwargs):
        data = {"username": name, "password": password}
        return self.post(path or self.path("login"), data, **kwargs)

    def sign_out(self):
        return self.post(self.path("logout"))

    def change_password(self, new, old=PASSWORD):
        data = {"old_password": old, "new_password1": new, "new_password2": new}
        response = self.post(self.path("password"), data)
        assert response.status_code == 302, response.content
        return response

    def open(self, **headers):
        """Open a page that requires a signed-in user."""
        return self.get(self.path("members"), headers=headers)

    def write(self, **kwargs):
        """Open a public page that writes to the session."""
        return self.get(self.path("write"), **kwargs)

    # What a test can observe

    @property
    def state(self):
        """
        Return ``SIGNED_IN``, ``NOBODY``, or the reason why the session ended.

        Requests the members' page as a script does, so that no cookie changes.
        """
        response = self.open(**JSON)
        if response.status_code == 200:
            return SIGNED_IN
        if response.status_code == 302:
            return NOBODY
        assert response.status_code == 401, (response.status_code, response.content)
        return response.json()["reason"]

    @property
    def name(self):
        """Return the user name that a public page shows."""
        return self.get(self.path("whoami"), headers=JSON).json()["user"]

    @property
    def cookie(self):
        morsel = self.client.cookies.get(settings.SESSION_COOKIE_NAME)
        return morsel.value if morsel else None

    @cookie.setter
    def cookie(self, value):
        if value is None:
            self.client.cookies.pop(settings.SESSION_COOKIE_NAME, None)
        else:
            self.client.cookies[settings.SESSION_COOKIE_NAME] = value

    @property
    def stored(self):
        """Return the data stored under this browser's cookie, or ``{}``."""
        return stores.read(self.cookie)

    @stored.setter
    def stored(self, data):
        self.cookie = stores.write(self.cookie, data)

    @property
    def row(self):
        """Return the row that the data stored under this browser's cookie names."""
        id = self.stored.get("_session_limit_id")
        return UserSession.objects.filter(pk=id).first() if id else None

    def twin(self, *, is_async=None):
        """Return another browser with the same cookies: another tab, or a thief."""
        is_async = self.is_async if is_async is None else is_async
        other = Visitor(self.user_agent, is_async=is_async)
        for name, morsel in self.client.cookies.items():
            other.client.cookies[name] = morsel.value
        return other


def make_user(name="ada", password=PASSWORD, **fields):
    return get_user_model().objects.create_user(
        username=name, password=password, **fields
    )


def long_recorded():
    """Make each key look old enough for its session to have been stored by now."""
    recorded_at = DatabaseNow() - 2 * STORED_WITHIN
    UserSession.objects.update(key_recorded_at=recorded_at)


def live(user=None):
    """Return the live rows, oldest first."""
    rows = UserSession.objects.live().order_by("created_at", "pk")
    return list(rows if user is None else rows.for_user(user))


def reasons():
    """Return the reasons of the ended sessions, in the order in which they ended."""
    ended = UserSession.objects.ended().order_by("ended_at", "pk")
    return list(ended.values_list("ended_reason", flat=True))


def only_kept(*visitors):
    """Return whether the store holds the sessions of these browsers and no others."""
    return stores.keeps_only(*(visitor.cookie for visitor in visitors))


def set_cookie(response):
    """
    Return the session cookie that this response sets.

    Return ``""`` if the response deletes the cookie, and ``None`` if it sets none.
    """
    morsel = response.cookies.get(settings.SESSION_COOKIE_NAME)
    return None if morsel is None else morsel.value


def mark_as_installed_later(visitor):
    """
    Make this browser's session look as if ``session_limit`` was installed after its
    sign-in: remove the id from its data, and delete its row.
    """
    # Two cookies with the same data, signed within one second, would be equal.
    data = {**visitor.stored, "browser": visitor.user_agent}
    UserSession.objects.filter(pk=data.pop("_session_limit_id")).delete()
    visitor.stored = data


@contextmanager
def statements():
    """
    Collect the statements that run in the block.

    Yields a list that is filled after the block. Transaction control is left out.
    """
    ran = []
    with CaptureQueriesContext(connection) as context:
        yield ran
    ran += [
        query["sql"]
        for query in context.captured_queries
        if not query["sql"].upper().startswith(TRANSACTION_CONTROL)
    ]


def writes(ran):
    return [sql for sql in ran if not sql.lstrip("( ").upper().startswith("SELECT")]


def events(caplog):
    """Return the events in the package's log, parsed from JSON."""
    records = [record for record in caplog.records if record.name == "session_limit"]
    return [json.loads(record.getMessage()) for record in records]
