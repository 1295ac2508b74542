"""Pages that do as little as possible, so that the figures show what is around them."""

from __future__ import annotations

import threading
import time

from django.conf import settings
from django.contrib.auth import get_user_model, login
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

BACKEND = "django.contrib.auth.backends.ModelBackend"
# When the thread's last transaction committed that ended a session; see asgi.py.
committed = threading.local()


def member(request: HttpRequest) -> HttpResponse:
    """Answer a signed-in user."""
    if not request.user.is_authenticated:
        return HttpResponse("nobody", status=403)
    return HttpResponse(request.user.get_username())


def visitor(request: HttpRequest) -> HttpResponse:
    """Answer everybody, after reading the user."""
    return HttpResponse(str(request.user.is_authenticated))


def public(request: HttpRequest) -> HttpResponse:
    """Answer everybody, without reading the session."""
    return HttpResponse("public")


async def member_async(request: HttpRequest) -> HttpResponse:
    user = await request.auser()
    if not user.is_authenticated:
        return HttpResponse("nobody", status=403)
    return HttpResponse(user.get_username())


async def visitor_async(request: HttpRequest) -> HttpResponse:
    user = await request.auser()
    return HttpResponse(str(user.is_authenticated))


async def public_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse("public")


@csrf_exempt
def sign_in(request: HttpRequest, username: str) -> HttpResponse:
    """
    Sign in without a password, because hashing one takes longer than the rest.

    The headers say how long ``login()`` took and when its transaction committed.
    """
    user = get_user_model().objects.get(username=username)
    committed.at = 0
    begun = time.perf_counter_ns()
    login(request, user, backend=BACKEND)
    took = time.perf_counter_ns() - begun
    settings.CONTENDER.after_sign_in(request)
    headers = {"X-Took": took, "X-Committed": committed.at}
    return HttpResponse(user.get_username(), headers=headers)
