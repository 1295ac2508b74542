"""
A project's own tests keep working with this package installed.

They may use Django's test tools or ``session_limit.testing``.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import alogin, get_user, get_user_model, login, logout
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.test import (
    AsyncClient,
    AsyncRequestFactory,
    Client,
    RequestFactory,
    TestCase,
    TransactionTestCase,
    override_settings,
)
from django.utils import timezone

from session_limit import signals
from session_limit.exceptions import SessionLimitReached
from session_limit.middleware import SessionLimitMiddleware
from session_limit.models import UserSession
from session_limit.rules import Rules
from session_limit.testing import (
    LAPTOP,
    PHONE,
    AsyncBrowser,
    Browser,
    clock,
    enforcement_off,
    two_browsers,
)
from tests import views

BACKEND = "django.contrib.auth.backends.ModelBackend"


def fine(request):
    return HttpResponse("Fine.")


class Project:
    """What a project's tests do. Both kinds of test case below run these."""

    def setUp(self):
        self.ada = get_user_model().objects.create_user(username="ada", password="pw")
        self.credentials = {"username": "ada", "password": "pw"}

    def test_client_login(self):
        self.assertTrue(self.client.login(**self.credentials))
        self.assertEqual(self.client.get("/whoami/").json(), {"user": "ada"})
        self.assertEqual(get_user(self.client), self.ada)
        self.client.logout()
        self.assertEqual(self.client.get("/whoami/").json(), {"user": None})
        self.assertFalse(UserSession.objects.live().exists())

    def test_client_login_with_a_wrong_password(self):
        self.assertFalse(self.client.login(username="ada", password="wrong"))
        self.assertEqual(self.client.get("/whoami/").json(), {"user": None})

    def test_force_login(self):
        self.client.force_login(self.ada)
        self.assertEqual(self.client.get("/whoami/").json(), {"user": "ada"})
        self.client.force_login(self.ada)
        self.assertEqual(self.client.get("/").status_code, 200)
        self.assertEqual(UserSession.objects.count(), 1)
        self.client.logout()
        self.assertRedirects(
            self.client.get("/"), "/login/?next=/", fetch_redirect_response=False
        )

    def test_force_login_of_another(self):
        bob = get_user_model().objects.create_user(username="bob", password="pw")
        for user in (self.ada, bob, self.ada):
            self.client.force_login(user)
            response = self.client.get("/whoami/")
            self.assertEqual(response.json(), {"user": user.get_username()})

    def test_writing_to_the_session_of_the_client(self):
        self.client.force_login(self.ada)
        session = self.client.session
        session["writes"] = 41
        session.save()
        self.assertEqual(self.client.get("/write/").json(), {"user": "ada", "n": 42})

    def test_writing_to_the_session_of_a_client_that_is_nobody(self):
        session = self.client.session
        session["writes"] = 41
        session.save()
        self.assertEqual(self.client.get("/write/").json(), {"user": None, "n": 42})
        self.client.force_login(self.ada)
        self.assertEqual(self.client.get("/write/").json(), {"user": "ada", "n": 43})

    def test_a_form(self):
        response = self.client.post("/login/", self.credentials)
        self.assertRedirects(response, "/")
        self.client.post("/logout/")
        self.assertEqual(self.client.get("/whoami/").json(), {"user": None})

    def test_two_clients(self):
        other = Client()
        self.client.force_login(self.ada)
        other.force_login(self.ada)
        self.assertEqual(self.client.get("/").status_code, 401)
        self.assertEqual(other.get("/").status_code, 200)

    @enforcement_off()
    def test_two_clients_where_a_test_is_not_about_the_limit(self):
        other = Client()
        self.client.force_login(self.ada)
        other.force_login(self.ada)
        self.assertEqual(self.client.get("/").status_code, 200)
        self.assertEqual(other.get("/").status_code, 200)

    def test_a_view_called_directly(self):
        request = RequestFactory().get("/")
        request.user = self.ada
        self.assertEqual(views.home(request).content, b"Hello ada.")
        request.user = AnonymousUser()
        self.assertEqual(views.home(request).status_code, 302)

    def test_a_request_through_the_middleware_by_hand(self):
        request = RequestFactory().get("/")
        SessionMiddleware(fine).process_request(request)
        MessageMiddleware(fine).process_request(request)
        login(request, self.ada, backend=BACKEND)
        self.assertEqual(request.session["_auth_user_id"], str(self.ada.pk))
        request.session.save()
        logout(request)
        self.assertFalse(UserSession.objects.live().exists())

    def test_a_request_with_a_dictionary_for_a_session(self):
        request = RequestFactory().get("/")
        request.session = {}
        response = SessionLimitMiddleware(fine)(request)
        self.assertEqual(response.content, b"Fine.")
        self.assertIsNone(request.session_limit.current)
        self.assertIsNone(request.session_limit.ended)
        self.assertFalse(request.session_limit.others.exists())

    def test_a_request_without_a_session(self):
        request = RequestFactory().get("/")
        response = SessionLimitMiddleware(fine)(request)
        self.assertEqual(response.content, b"Fine.")
        self.assertIsNone(request.session_limit.current)

    async def test_async_client(self):
        self.assertTrue(await self.async_client.alogin(**self.credentials))
        response = await self.async_client.get("/awhoami/")
        self.assertEqual(response.json(), {"user": "ada"})
        await self.async_client.alogout()
        response = await self.async_client.get("/awhoami/")
        self.assertEqual(response.json(), {"user": None})

    async def test_async_force_login(self):
        await self.async_client.aforce_login(self.ada)
        for path in ("/awhoami/", "/whoami/"):
            response = await self.async_client.get(path)
            self.assertEqual(response.json(), {"user": "ada"})

    async def test_two_async_clients(self):
        other = AsyncClient()
        await self.async_client.aforce_login(self.ada)
        await other.aforce_login(self.ada)
        self.assertEqual((await self.async_client.get("/")).status_code, 401)
        self.assertEqual((await other.get("/")).status_code, 200)

    async def test_an_async_form(self):
        response = await self.async_client.post("/alogin/", self.credentials)
        self.assertEqual(response.status_code, 302)
        response = await self.async_client.get("/awhoami/")
        self.assertEqual(response.json(), {"user": "ada"})

    async def test_an_async_request_by_hand(self):
        request = AsyncRequestFactory().get("/")
        request.session = SessionStore()
        await alogin(request, self.ada, backend=BACKEND)
        self.assertEqual(await UserSession.objects.live().acount(), 1)

    @override_settings(SESSION_LIMIT_AT_LIMIT="deny")
    def test_a_client_that_is_refused(self):
        self.client.force_login(self.ada)
        with self.assertRaises(PermissionDenied):
            Client().force_login(self.ada)
        self.assertEqual(self.client.get("/").status_code, 200)


class InATransaction(Project, TestCase):
    """Nothing is committed, so that signals after a commit are not sent."""

    def test_callbacks_can_be_captured(self):
        heard = []

        def hear(session, **kwargs):
            heard.append(session.user_id)

        signals.session_started.connect(hear)
        self.addCleanup(signals.session_started.disconnect, hear)
        with self.captureOnCommitCallbacks(execute=True):
            self.client.force_login(self.ada)
        self.assertEqual(heard, [self.ada.pk])


class WithSetUpTestData(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.ada = get_user_model().objects.create_user(username="ada", password="pw")

    def test_once(self):
        self.client.force_login(self.ada)
        self.assertEqual(self.client.get("/").status_code, 200)

    def test_twice(self):
        self.client.force_login(self.ada)
        self.assertEqual(self.client.get("/").status_code, 200)


class Committed(Project, TransactionTestCase):
    pass


# The tools of session_limit.testing


@pytest.fixture
def ada(transactional_db):
    return get_user_model().objects.create_user(username="ada", password="pw")


def test_two_browsers(ada):
    laptop, phone = two_browsers()
    for each in (laptop, phone):
        # A person's sign-in has a user agent. The client's force_login() has none.
        each.post("/login/", {"username": "ada", "password": "pw"})
    (row,) = UserSession.objects.live()
    assert (row.device, row.device_class) == ("Chrome on Android", "phone")
    assert b"on a phone" in laptop.get("/").content


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [(LAPTOP, "Firefox on Windows"), (PHONE, "Chrome on Android")],
)
@pytest.mark.parametrize("kind", [Browser, AsyncBrowser])
def test_a_browser_asks_as_a_browser(ada, kind, user_agent, device):
    def get(browser, path, **kwargs):
        method = browser.get
        return (async_to_sync(method) if kind is AsyncBrowser else method)(
            path, **kwargs
        )

    def post(browser, path, data):
        method = browser.post
        return (async_to_sync(method) if kind is AsyncBrowser else method)(path, data)

    browser = kind(user_agent)
    post(browser, "/alogin/", {"username": "ada", "password": "pw"})
    (row,) = UserSession.objects.live()
    assert row.device == device
    Browser().post("/login/", {"username": "ada", "password": "pw"})
    # Headers that a test gives take precedence.
    json = {"Accept": "application/json"}
    assert get(browser, "/", headers=json)["Content-Type"] == "application/json"
    page = get(browser, "/")
    assert page.status_code == 401
    assert page["Content-Type"].startswith("text/html")


def test_the_clock():
    before = timezone.now()
    with clock() as time:
        assert abs(timezone.now() - before) < timedelta(seconds=5)
        time.advance(3600)
        time.advance(timedelta(days=1))
        ahead = timezone.now() - before
        assert timedelta(0) <= ahead - timedelta(days=1, hours=1) < timedelta(minutes=1)
        assert time.now() >= timezone.now() - timedelta(seconds=5)
    assert timezone.now() - before < timedelta(minutes=1)


def test_enforcement_off_is_for_everybody(ada, settings):
    class OneEach(Rules):
        def limit(self, user, scope):
            return 1

    globals()["OneEach"] = OneEach
    settings.SESSION_LIMIT_RULES = f"{__name__}.OneEach"
    laptop, phone = two_browsers()
    with enforcement_off():
        laptop.force_login(ada)
        phone.force_login(ada)
        assert UserSession.objects.live().count() == 2
    phone.force_login(ada)
    assert UserSession.objects.live().count() == 1


def test_what_a_refused_sign_in_raises(ada, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop, phone = two_browsers()
    laptop.force_login(ada)
    with pytest.raises(SessionLimitReached) as raised:
        phone.force_login(ada)
    # Django REST framework raises such a copy.
    assert isinstance(PermissionDenied(*raised.value.args), PermissionDenied)
    assert len(raised.value.args) <= 2
    assert str(raised.value) == "The account is at its session limit."
