"""Provide views that do very little, so that the cost of everything else shows."""

from __future__ import annotations

import threading
import time

from django.conf import settings
from django.contrib.auth import get_user_model, login
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

BACKEND = "django.contrib.auth.backends.ModelBackend"
# asgi.py sets ``at`` to the time of this thread's last commit that ended a session.
committed = threading.local()


def member(request: HttpRequest) -> HttpResponse:
    """Respond with the username, and only to a signed-in user."""
    if not request.user.is_authenticated:
        return HttpResponse("nobody", status=403)
    return HttpResponse(request.user.get_username())


def visitor(request: HttpRequest) -> HttpResponse:
    """Respond to everyone, after reading the user."""
    return HttpResponse(str(request.user.is_authenticated))


def public(request: HttpRequest) -> HttpResponse:
    """Respond to everyone, without reading the session."""
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
    Sign in without a password, because hashing one would take most of the time.

    The headers contain the time that ``login()`` took and the time of its commit.
    """
    user = get_user_model().objects.get(username=username)
    committed.at = 0
    begun = time.perf_counter_ns()
    login(request, user, backend=BACKEND)
    took = time.perf_counter_ns() - begun
    settings.CONTENDER.after_sign_in(request)
    headers = {"X-Took": took, "X-Committed": committed.at}
    return HttpResponse(user.get_username(), headers=headers)
