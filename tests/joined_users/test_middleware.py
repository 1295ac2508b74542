"""Django's middleware and test tools, beside the user who is read with the session."""

from __future__ import annotations

from unittest import mock

import pytest
from asgiref.sync import SyncToAsync
from django.contrib.auth import aget_user, get_user
from django.contrib.auth.middleware import (
    AuthenticationMiddleware,
    RemoteUserMiddleware,
    auser,
)
from django.contrib.sessions.middleware import SessionMiddleware
from django.db import connection
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils.functional import SimpleLazyObject

from session_limit.middleware import SessionLimitMiddleware
from tests import stores
from tests.joined_users.conftest import is_comparable
from tests.stories.people import Visitor, statements

AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"
OURS = "session_limit.middleware.SessionLimitMiddleware"
HERE = __name__


def name(request):
    return request.user.get_username() or None


async def aname(request):
    return (await request.auser()).get_username() or None


BOTH = pytest.mark.parametrize("view", [name, aname])


class OwnAuthentication(AuthenticationMiddleware):
    """A project's subclass that sets ``request.user`` in its own way."""

    def process_request(self, request):
        super().process_request(request)
        request.user = SimpleLazyObject(lambda: get_user(request))


def replaced(settings, one, other):
    return [other if each == one else each for each in settings.MIDDLEWARE]


@BOTH
def test_a_subclass_of_the_authentication_middleware(visit, settings, view):
    settings.MIDDLEWARE = replaced(
        settings, AUTHENTICATION, f"{HERE}.OwnAuthentication"
    )
    assert visit(view) == "ada"


class OwnAsyncAuthentication(AuthenticationMiddleware):
    """A project's subclass with a function of its own around Django's."""

    def process_request(self, request):
        super().process_request(request)

        async def own():
            return await auser(request)

        request.auser = own


def test_a_project_that_calls_djangos_auser(visit, settings):
    settings.MIDDLEWARE = replaced(
        settings, AUTHENTICATION, f"{HERE}.OwnAsyncAuthentication"
    )
    assert visit(aname) == "ada"


def test_an_auser_that_calls_the_one_before(ada, bob, visit):
    """The middleware of django-otp sets such a function."""

    async def view(request):
        before = request.auser

        async def auser():
            return await before(), bob

        request.auser = auser
        return await request.auser()

    assert visit(view) == (ada, bob)


def test_an_auser_of_other_code_reads_no_session(bob, visit):
    async def view(request):
        async def auser():
            return bob

        request.auser = auser
        return await request.auser(), request.session.accessed

    assert visit(view) == (bob, False)


@BOTH
def test_two_of_our_middleware(visit, settings, view):
    settings.MIDDLEWARE = [
        same
        for each in settings.MIDDLEWARE
        for same in ([each, each] if each == OURS else [each])
    ]
    assert visit(view) == "ada"
    if is_comparable():
        assert len(visit.statements) == stores.STATEMENTS


@BOTH
def test_the_middleware_that_requires_a_user(visit, settings, view):
    required = "django.contrib.auth.middleware.LoginRequiredMiddleware"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, required]
    assert visit(view) == "ada"
    response = Visitor().get("/run/")
    assert response.status_code == 302
    assert response["Location"].startswith("/login/")


class Remote(RemoteUserMiddleware):
    header = "HTTP_REMOTE_USER"


def test_the_middleware_of_remote_users(ada, visit, settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{HERE}.Remote"]
    settings.AUTHENTICATION_BACKENDS = [
        "django.contrib.auth.backends.ModelBackend",
        "django.contrib.auth.backends.RemoteUserBackend",
    ]
    assert visit(name, **{"Remote-User": "ada"}) == "ada"


def test_a_request_that_passes_through_the_middleware_twice(ada, laptop):
    """Some projects call the handler once more with the same request."""
    found = []

    def view(request):
        request.session.get("anything")
        with statements() as ran:
            found.append(request.user.pk)
        return HttpResponse(str(len(ran)))

    def handle(request):
        return SessionLimitMiddleware(AuthenticationMiddleware(view))(request)

    request = RequestFactory().get("/")
    request.COOKIES["sessionid"] = laptop.cookie
    SessionMiddleware(lambda request: handle(request) and handle(request))(request)
    assert found == [ada.pk] * 2
    assert connection.execute_wrappers == []


@BOTH
def test_djangos_own_functions_read_the_user_anew(ada, visit, view):
    def again(request):
        return get_user(request), request.user._wrapped

    async def again_async(request):
        return await aget_user(request), await request.auser()

    read, joined = visit(again if view is name else again_async)
    assert read is not joined


# What a response says


def nothing(request):
    return None


def looking(request):
    return hasattr(request, "user"), hasattr(request, "auser")


async def anothing(request):
    return None


@pytest.mark.parametrize("view", [nothing, looking, anothing, name, aname])
@pytest.mark.parametrize("kind", ["joined", "read by Django", "without the package"])
def test_pages_vary_by_cookie_if_they_read_the_user(visit, settings, view, kind):
    settings.SESSION_LIMIT_JOIN_USER = kind == "joined"
    if kind == "without the package":
        settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if each != OURS]
    visit(view)
    assert ("Cookie" in visit.response.get("Vary", "")) == (view in {name, aname})


# What a page costs


@BOTH
@pytest.mark.parametrize("joins", [True, False])
def test_statements(visit, settings, view, joins):
    settings.SESSION_LIMIT_JOIN_USER = joins
    visit(view)
    visit(view)
    saved = joins and is_comparable()
    assert len(visit.statements) == stores.STATEMENTS + (not saved)


def hops(visit, view):
    """Return how often a page calls a function in a thread."""
    visit(view)
    call = SyncToAsync.__call__
    with mock.patch.object(SyncToAsync, "__call__", autospec=True) as counted:
        counted.side_effect = call
        visit(view)
    return counted.call_count


async def with_session(request):
    await request.session.aget("anything")
    return await aname(request)


@pytest.mark.parametrize("view", [anothing, aname, with_session])
def test_a_page_changes_threads_no_more_often_than_with_django(visit, settings, view):
    ours = hops(visit, view)
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if each != OURS]
    assert ours <= hops(visit, view)
