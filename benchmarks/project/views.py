"""Pages that do as little as a page can: what is around them is what is measured."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import get_user_model, login
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

BACKEND = "django.contrib.auth.backends.ModelBackend"


def member(request: HttpRequest) -> HttpResponse:
    """For people who are signed in."""
    if not request.user.is_authenticated:
        return HttpResponse("nobody", status=403)
    return HttpResponse(request.user.get_username())


def visitor(request: HttpRequest) -> HttpResponse:
    """For everybody; looks at who asks."""
    return HttpResponse(str(request.user.is_authenticated))


def public(request: HttpRequest) -> HttpResponse:
    """For everybody; looks at nothing."""
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
def sign_in(request: HttpRequest, id: int) -> HttpResponse:
    """Without a password: hashing one takes longer than all that is measured here."""
    user = get_user_model().objects.get(pk=id)
    login(request, user, backend=BACKEND)
    settings.CONTENDER.after_sign_in(request)
    return HttpResponse(user.get_username())
