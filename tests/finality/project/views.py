"""
The views that the browsers use, sync and async.

A view for signed-in users answers with the user's name, or with 401.
"""

from __future__ import annotations

import secrets

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import (
    alogin,
    alogout,
    aupdate_session_auth_hash,
    get_user_model,
    login,
    logout,
    update_session_auth_hash,
)
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse

from tests.finality.project.waiting import await_, wait

# No password is checked: the view looks the user up and signs in.
BACKEND = "django.contrib.auth.backends.ModelBackend"


def _credentials(user) -> str:
    """Return a string that differs for each password of an account."""
    return user.password[-8:]


def _answer(user) -> JsonResponse:
    if not user.is_authenticated:
        return JsonResponse({"user": None}, status=401)
    return JsonResponse(
        {"user": user.get_username(), "credentials": _credentials(user)}
    )


def people(request: HttpRequest) -> HttpResponse:
    """Create accounts, and return their usernames."""
    create = get_user_model().objects.create_user
    names = [
        f"person-{secrets.token_hex(6)}" for _ in range(int(request.POST["count"]))
    ]
    for name in names:
        create(name, password="first")
    return JsonResponse({"people": names})


def person(request: HttpRequest, username: str) -> HttpResponse:
    """Tell which password an account has now."""
    return _answer(get_user_model().objects.get(username=username))


def sign_in(request: HttpRequest) -> HttpResponse:
    user = get_user_model().objects.get(username=request.POST["username"])
    login(request, user, backend=BACKEND)
    settings.CONTENDER.after_sign_in(request)
    return _answer(user)


# Django refuses an async view under ATOMIC_REQUESTS that does not opt out.
@transaction.non_atomic_requests
async def sign_in_async(request: HttpRequest) -> HttpResponse:
    user = await get_user_model().objects.aget(username=request.POST["username"])
    await alogin(request, user, backend=BACKEND)
    await sync_to_async(settings.CONTENDER.after_sign_in)(request)
    return _answer(user)


def whoami(request: HttpRequest) -> HttpResponse:
    return _answer(request.user)


@transaction.non_atomic_requests
async def whoami_async(request: HttpRequest) -> HttpResponse:
    return _answer(await request.auser())


# It does not write to an anonymous session: if one tab does while another signs in or
# out, Django answers 400 with any package and with none.
def write(request: HttpRequest) -> HttpResponse:
    answer = _answer(request.user)
    if request.user.is_authenticated:
        wait(request)
        request.session["basket"] = secrets.token_hex(4)
    return answer


@transaction.non_atomic_requests
async def write_async(request: HttpRequest) -> HttpResponse:
    user = await request.auser()
    if user.is_authenticated:
        await await_(request)
        await request.session.aset("basket", secrets.token_hex(4))
    return _answer(user)


def change_password(request: HttpRequest) -> HttpResponse:
    user = request.user
    if user.is_authenticated:
        wait(request)
        user.set_password(secrets.token_hex(4))
        user.save()
        update_session_auth_hash(request, user)
    return _answer(user)


@transaction.non_atomic_requests
async def change_password_async(request: HttpRequest) -> HttpResponse:
    user = await request.auser()
    if user.is_authenticated:
        await await_(request)
        user.set_password(secrets.token_hex(4))
        await user.asave()
        # Django 5.2 reads request.user there, in the event loop.
        request.user = user
        await aupdate_session_auth_hash(request, user)
    return _answer(user)


def rotate(request: HttpRequest) -> HttpResponse:
    """Rotate the session key, as a project does after a second factor."""
    answer = _answer(request.user)
    if request.user.is_authenticated:
        wait(request)
        request.session.cycle_key()
    return answer


@transaction.non_atomic_requests
async def rotate_async(request: HttpRequest) -> HttpResponse:
    user = await request.auser()
    if user.is_authenticated:
        await await_(request)
        await request.session.acycle_key()
    return _answer(user)


def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return JsonResponse({"user": None})


@transaction.non_atomic_requests
async def sign_out_async(request: HttpRequest) -> HttpResponse:
    await alogout(request)
    return JsonResponse({"user": None})
