"""The guarded session's async methods call the registry."""

from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.auth import alogin, get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest

from session_limit.models import UserSession
from session_limit.store.guarded import install
from session_limit.testing import Browser

pytestmark = pytest.mark.django_db(transaction=True)


def request_with(key):
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = "127.0.0.1"
    request.COOKIES[settings.SESSION_COOKIE_NAME] = key
    request.session = SessionStore(key)
    install(request)
    return request


def test_emptying_what_was_written_in_place_of_a_missing_session():
    """Fails, as SynchronousOnlyOperation, if the registry is not called in a thread."""
    request = request_with("a" * 32)

    async def work():
        await request.session.aset("basket", 1)
        await request.session.aflush()

    async_to_sync(work)()
    assert request.session.session_key is None


def test_signing_in_in_a_session_that_was_cleared_unread():
    """
    The row of the cleared session ends. Fails if only a row that was read can be ended.
    """
    ada = get_user_model().objects.create_user("ada", password="pw")
    bob = get_user_model().objects.create_user("bob", password="pw")
    browser = Browser()
    browser.force_login(ada)
    request = request_with(browser.cookies[settings.SESSION_COOKIE_NAME].value)

    async def work():
        request.session.clear()
        await alogin(request, bob)

    async_to_sync(work)()
    (row,) = UserSession.objects.live()
    assert row.user_id == bob.pk
    (ended,) = UserSession.objects.ended()
    assert ended.ended_reason == UserSession.Reason.SIGNED_OUT
