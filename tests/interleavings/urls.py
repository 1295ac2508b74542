"""Add the views that the interleavings need to those of the suite."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    alogin,
    aupdate_session_auth_hash,
    get_user_model,
    login,
)
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import (
    Http404,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.urls import path

from session_limit import registry
from session_limit.exceptions import SessionLimitReached
from session_limit.models import UserSession
from tests.urls import urlpatterns as suite

BACKEND = "django.contrib.auth.backends.ModelBackend"
FAILURES = {
    "404": Http404,
    "403": PermissionDenied,
    "400": SuspiciousOperation,
    "500": ValueError,
}


def _user(request):
    return get_user_model().objects.get_by_natural_key(request.POST["username"])


async def _auser(request):
    return await sync_to_async(_user)(request)


async def change_password(request):
    """Change the password as ``PasswordChangeView`` does, but async."""
    # Django 5.2 evaluates the lazy request.user, which an async view must not do.
    request.user = user = await request.auser()
    user.set_password(request.POST["new_password1"])
    await user.asave()
    await aupdate_session_auth_hash(request, user)
    return HttpResponse()


def sign_in_then(request, status):
    """Sign in, and then fail, so that ``ATOMIC_REQUESTS`` rolls the sign-in back."""
    login(request, _user(request), BACKEND)
    raise FAILURES[status]


def read_then(request, status):
    """Read the user, and then fail."""
    request.user.is_authenticated  # noqa: B018  loads it
    raise FAILURES[status]


def set_by_hand(request):
    """Write the keys of a sign-in without calling ``login()``, as some code does."""
    user = _user(request)
    request.session[SESSION_KEY] = user._meta.pk.value_to_string(user)
    request.session[BACKEND_SESSION_KEY] = BACKEND
    request.session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    return HttpResponse()


def write_user(request):
    """Write to the user without using sessions, as a project's own view may do."""
    get_user_model().objects.filter(username="ada").update(first_name="Ada")
    return HttpResponse()


def end_all(request):
    """End all sessions of a user, as a project's own view may do."""
    user = get_user_model().objects.get(username="ada")
    registry.end_all(user, UserSession.Reason.REVOKED)
    return HttpResponse()


def put(request):
    """Keep something in the session of any visitor."""
    request.session["cart"] = request.GET["item"]
    return HttpResponse()


async def save_async(request):
    """Write to the session and save it, async."""
    await request.auser()
    await request.session.aset("saved", True)
    await request.session.asave()
    return HttpResponse()


def cart(request):
    return JsonResponse({"cart": request.session.get("cart")})


IN_A_STREAM = {
    "save": (lambda session: session.save(), lambda session: session.asave()),
    "cycle_key": (
        lambda session: session.cycle_key(),
        lambda session: session.acycle_key(),
    ),
    "create": (lambda session: session.create(), lambda session: session.acreate()),
    "flush": (lambda session: session.flush(), lambda session: session.aflush()),
}


def stream(request, what):
    """Send a piece, change the session as ``what`` says, and send another piece."""
    request.user.is_authenticated  # noqa: B018  loads it

    def pieces():
        yield b"first"
        request.session["streamed"] = True
        try:
            IN_A_STREAM[what][0](request.session)
        except Exception as error:
            yield type(error).__name__.encode()
        else:
            yield b"done"

    return StreamingHttpResponse(pieces())


async def stream_async(request, what):
    await request.auser()

    async def pieces():
        yield b"first"
        await request.session.aset("streamed", True)
        try:
            await IN_A_STREAM[what][1](request.session)
        except Exception as error:
            yield type(error).__name__.encode()
        else:
            yield b"done"

    return StreamingHttpResponse(pieces())


class AnotherPermissionDenied(PermissionDenied):
    """An exception with the parameters of Django REST framework's."""

    def __init__(self, detail=None, code=None):
        super().__init__(detail)


def reraise(request):
    """Raise a refusal again as another exception, as Django REST framework does."""
    try:
        login(request, _user(request), BACKEND)
    except PermissionDenied as error:
        raise AnotherPermissionDenied(*error.args) from None
    return HttpResponse()


def swallow(request):
    """Catch a refusal and continue, as allauth does."""
    try:
        login(request, _user(request), BACKEND)
    except SessionLimitReached:
        return HttpResponseRedirect("/")
    return HttpResponse()


async def swallow_async(request):
    try:
        await alogin(request, await _auser(request), BACKEND)
    except SessionLimitReached:
        return HttpResponseRedirect("/")
    return HttpResponse()


# What the latest request shows of its user and session after login() has raised.
seen = {}


def who_after_refusal(request):
    seen.clear()
    request.user.is_authenticated  # noqa: B018  a middleware may have loaded it
    try:
        login(request, _user(request), BACKEND)
    except SessionLimitReached:
        seen["user"] = request.user.get_username()
        seen["session"] = dict(request.session.items())
    return HttpResponse()


async def who_after_refusal_async(request):
    seen.clear()
    await request.auser()
    try:
        await alogin(request, await _auser(request), BACKEND)
    except SessionLimitReached:
        seen["user"] = request.user.get_username()
        seen["auser"] = (await request.auser()).get_username()
        seen["session"] = dict(await request.session.aitems())
    return HttpResponse()


urlpatterns = [
    *suite,
    path("change-password/", change_password),
    path("sign-in-then/<status>/", sign_in_then),
    path("read-then/<status>/", read_then),
    path("set-by-hand/", set_by_hand),
    path("write-user/", write_user),
    path("end-all/", end_all),
    path("put/", put),
    path("cart/", cart),
    path("save-async/", save_async),
    path("stream/<what>/", stream),
    path("stream-async/<what>/", stream_async),
    path("reraise/", reraise),
    path("swallow/", swallow),
    path("swallow-async/", swallow_async),
    path("who-after-refusal/", who_after_refusal),
    path("who-after-refusal-async/", who_after_refusal_async),
]
