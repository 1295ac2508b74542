"""Define browsers for the tests, and find out what their cookies authenticate."""

from __future__ import annotations

from django.test import Client

from session_limit.models import UserSession
from session_limit.testing import AsyncBrowser, Browser
from tests import stores
from tests.blocking import blocking

KEY = "sessionid"
JSON = {"Accept": "application/json"}
NAVIGATION = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}
POLL = {**JSON, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}


class Tab:
    """
    A tab of a browser, with sync or async requests.

    Async requests run in the thread that makes them, so that its connection executes
    their statements.
    """

    def __init__(self, *, asynchronous=False, **defaults):
        self.asynchronous = asynchronous
        make = AsyncBrowser if asynchronous else Browser
        self.client = make(**defaults)

    def request(self, method, path, *args, headers=JSON, **extra):
        call = blocking(getattr(self.client, method))
        return call(path, *args, headers=headers, **extra)

    def get(self, path, **extra):
        return self.request("get", path, **extra)

    def post(self, path, data=None, **extra):
        return self.request("post", path, data or {}, **extra)

    def sign_in(self, user, password="pw", path=None, **extra):
        path = path or ("/alogin/" if self.asynchronous else "/login/")
        data = {"username": user.get_username(), "password": password}
        return self.post(path, data, **extra)

    def change_password(self, new="new", old="pw", path=None, **extra):
        path = path or ("/change-password/" if self.asynchronous else "/password/")
        data = {"old_password": old, "new_password1": new, "new_password2": new}
        return self.post(path, data, **extra)

    def another(self):
        """Return another tab of the same browser, with a copy of its cookies."""
        tab = Tab(asynchronous=self.asynchronous)
        tab.client.cookies.load(self.client.cookies.output(header=""))
        return tab

    @property
    def key(self):
        """Return the session key in the cookie, or ``None``."""
        return key_in(self.client.cookies)


def key_in(cookies):
    """Return the session key in the cookies of a browser or a response."""
    return cookies[KEY].value if KEY in cookies else None


def whose(key):
    """Return the name of the user that this key authenticates, or ``None``."""
    client = Client()
    client.cookies[KEY] = key
    return client.get("/whoami/").json()["user"]


def is_told(response, reason="displaced"):
    """Return whether ``response`` says that the session ended for ``reason``."""
    if response.status_code != 401:
        return False
    answer = response.json()
    return answer["code"] == "session_ended" and answer["reason"] == reason


def is_only_live(user, tab):
    """Return whether ``tab`` has the only live session of ``user``, by id and key."""
    rows = live(user)
    id = stores.read(tab.key).get("_session_limit_id")
    key = None if stores.is_cookie() else tab.key
    return [(row.pk.hex, row.session_key) for row in rows] == [(id, key)]


def is_in(tab, user):
    """
    Return whether ``tab`` is signed in as ``user``, in the user's only live session.
    """
    return is_only_live(user, tab) and whose(tab.key) == user.get_username()


def live(user):
    return list(UserSession.objects.live().for_user(user))
