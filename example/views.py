"""
The pages of the example site: plain Django. None has to know of session_limit.

A displaced browser is told why at the members' page and by the JSON answer, and is
served the public page like anybody.
"""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render


def home(request: HttpRequest) -> HttpResponse:
    """Show the public page. It reads no session, so a cache may keep it."""
    return render(request, "home.html")


@login_required
def members(request: HttpRequest) -> HttpResponse:
    """Show the page that an account is paid for."""
    return render(request, "members.html")


async def me(request: HttpRequest) -> HttpResponse:
    """Say in JSON who is signed in."""
    user = await request.auser()
    if not user.is_authenticated:
        return JsonResponse({"code": "not_signed_in"}, status=401)
    return JsonResponse({"user": user.get_username()})
