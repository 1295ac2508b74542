"""Sessions stay readable when the package is installed and when it is removed."""

from __future__ import annotations

import pytest
from django.contrib.auth.signals import user_logged_in

from session_limit.models import UserSession
from tests import stores
from tests.interleavings.browsers import whose

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.interleavings.urls"),
]


@stores.CHOSEN
@pytest.mark.parametrize("engine", ["db", "file", "cached_db", "signed_cookies"])
def test_the_middleware_put_in_and_taken_out(ada, browser, settings, tmp_path, engine):
    """
    Installing and removing the middleware signs nobody out. Fails if the guarded
    session class has a name of its own, because Django derives the salt that signs
    sessions from the class name.
    """
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    guarded = settings.MIDDLEWARE
    plain = [each for each in guarded if "session_limit" not in each]
    path = "/awhoami/" if browser().asynchronous else "/whoami/"

    settings.MIDDLEWARE = plain
    laptop = browser()
    laptop.sign_in(ada)
    for middleware in (plain, guarded, guarded, plain):
        settings.MIDDLEWARE = middleware
        # A client creates its handler with the current middleware, hence a new one.
        tab = laptop.another()
        assert tab.get(path).json() == {"user": "ada"}
        laptop.client.cookies = tab.client.cookies


def test_a_sign_in_without_a_request(ada):
    """
    Channels sends the signal without a request. No session is recorded, and nothing is
    raised.
    """
    user_logged_in.send(sender=type(ada), request=None, user=ada)
    assert not UserSession.objects.exists()


def test_what_is_stored_is_nobodys_without_a_row(ada, browser):
    """
    Stored data without a row authenticates nobody. Fails if an id without a row is
    adopted.
    """
    laptop = browser()
    laptop.sign_in(ada)
    UserSession.objects.all().delete()
    assert whose(laptop.key) is None
    assert not UserSession.objects.exists()
