"""
What a browser does, sync and async. Each view that is for members answers who asks,
or 401.
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

from benchmarks.truth.project.waiting import await_, wait

# The password is beside the point, so the user is looked up and signed in.
BACKEND = "django.contrib.auth.backends.ModelBackend"


def _credentials(user) -> str:
    """Tells one password of an account from the next."""
    return user.password[-8:]


def _answer(user) -> JsonResponse:
    if not user.is_authenticated:
        return JsonResponse({"user": None}, status=401)
    return JsonResponse(
        {"user": user.get_username(), "credentials": _credentials(user)}
    )


def people(request: HttpRequest) -> HttpResponse:
    """New accounts, which nobody has signed in to."""
    create = get_user_model().objects.create_user
    names = [
        f"person-{secrets.token_hex(6)}" for _ in range(int(request.POST["count"]))
    ]
    for name in names:
        create(name, password="first")
    return JsonResponse({"people": names})


def person(request: HttpRequest, username: str) -> HttpResponse:
    """Say which password an account has now."""
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


# For members: an anonymous session that one tab writes to while another signs in, or
# out, is a 400 to Django, whoever limits sessions.
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
    """Give the session a new key, as a step up in privileges should."""
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
