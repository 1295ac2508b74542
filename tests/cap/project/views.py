"""Views that sign in, that name the user, and that store an anonymous session."""

from __future__ import annotations

from django.contrib.auth import alogin, get_user_model, login
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse

# The harness measures no passwords, so the view looks the user up and signs them in.
BACKEND = "django.contrib.auth.backends.ModelBackend"


def sign_in(request: HttpRequest) -> HttpResponse:
    user = get_user_model().objects.get(username=request.POST["username"])
    login(request, user, backend=BACKEND)
    return JsonResponse({"user": user.get_username()})


# Django refuses an async view under ATOMIC_REQUESTS that does not opt out.
@transaction.non_atomic_requests
async def sign_in_async(request: HttpRequest) -> HttpResponse:
    user = await get_user_model().objects.aget(username=request.POST["username"])
    await alogin(request, user, backend=BACKEND)
    return JsonResponse({"user": user.get_username()})


def whoami(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        return JsonResponse({"user": None}, status=401)
    return JsonResponse({"user": request.user.get_username()})


@transaction.non_atomic_requests
async def whoami_async(request: HttpRequest) -> HttpResponse:
    user = await request.auser()
    if not user.is_authenticated:
        return JsonResponse({"user": None}, status=401)
    return JsonResponse({"user": user.get_username()})


def public(request: HttpRequest) -> HttpResponse:
    """Give an anonymous browser a session."""
    request.session["basket"] = ["a book"]
    return HttpResponse("welcome")
