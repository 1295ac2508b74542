"""
Define the views of the project.

Every answer contains the id of the session that authenticated its request, so that the
judge knows which session it was. The views trust every client, because only the checker
can reach them.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import cast

from django.contrib.auth import (
    get_user_model,
    login,
    logout,
    update_session_auth_hash,
)
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase, StreamingHttpResponse

from session_limit import registry
from session_limit.models import UserSession
from session_limit.request import GuardedRequest

# The views sign a user in without a password.
BACKEND = "django.contrib.auth.backends.ModelBackend"
# Seconds between two bytes of a stream.
BEAT = 0.5


def named(request: HttpRequest) -> str:
    """Return the id of the request's live session, or ``""``."""
    session = cast("GuardedRequest", request).session_limit.current
    return "" if session is None else session.pk.hex


def nobody() -> HttpResponse:
    return JsonResponse({"code": "nobody"}, status=401)


def sign_in(request: HttpRequest) -> HttpResponse:
    user = get_user_model().objects.get(pk=request.POST["user"])
    login(request, user, backend=BACKEND)
    return JsonResponse({"session": named(request)})


def sign_out(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        return nobody()
    session = named(request)
    logout(request)
    return JsonResponse({"session": session})


def change_password(request: HttpRequest) -> HttpResponse:
    user = request.user
    if not user.is_authenticated:
        return nobody()
    user.set_password(secrets.token_hex(8))
    user.save()
    update_session_auth_hash(request, user)
    return JsonResponse({"session": named(request)})


def who(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        return nobody()
    return JsonResponse(
        {"session": named(request), "user": request.user.get_username()}
    )


async def stream(request: HttpRequest) -> HttpResponseBase:
    user = await request.auser()
    if not user.is_authenticated:
        return nobody()

    async def body() -> AsyncIterator[bytes]:
        while True:
            yield b"."
            await asyncio.sleep(BEAT)

    return StreamingHttpResponse(body(), content_type="text/plain")


def change_limit(request: HttpRequest) -> HttpResponse:
    """Give an account a limit of its own, or without a number the project's limit."""
    user = get_user_model().objects.get(pk=request.POST["user"])
    limit = request.POST["limit"]
    ended = registry.set_limit(user, int(limit) if limit else None)
    return JsonResponse({"ended": [row.pk.hex for row in ended]})


def revoke(request: HttpRequest) -> HttpResponse:
    """End the session in the form, or all sessions of the user."""
    revoked = UserSession.Reason.REVOKED
    if request.POST.get("session"):
        ended = registry.end([request.POST["session"]], revoked)
    else:
        user = get_user_model().objects.get(pk=request.POST["user"])
        ended = registry.end_all(user, revoked)
    return JsonResponse({"ended": [row.pk.hex for row in ended]})
