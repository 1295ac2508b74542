"""
The pages of the example site: plain Django. None has to know of session_limit.

A displaced browser is told why at the members' page and by the JSON answer, and is
served the public page like anybody.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.views import PasswordChangeView
from django.contrib.messages.views import SuccessMessageMixin
from django.core.handlers.asgi import ASGIRequest
from django.http import (
    HttpRequest,
    HttpResponse,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import render
from django.urls import reverse, reverse_lazy
from django.views.generic import FormView

# Between two readings of the gauge, in seconds.
TICK = 0.5


def home(request: HttpRequest) -> HttpResponse:
    """Show the public page. It reads no session, so a cache may keep it."""
    return render(request, "home.html")


@login_required
def members(request: HttpRequest) -> HttpResponse:
    """Show the page that an account is paid for."""
    return render(request, "members.html")


@login_required
def live(request: HttpRequest) -> HttpResponse:
    """Show what is worth watching: a picture, and a gauge that ticks."""
    # A stream would keep a worker to itself where the server is WSGI.
    feed_url = reverse("feed") if isinstance(request, ASGIRequest) else ""
    return render(request, "live.html", {"feed": feed_url})


@login_required
async def feed(request: HttpRequest) -> StreamingHttpResponse:
    """Stream the gauge for as long as somebody reads. SessionGuard cuts it."""
    return StreamingHttpResponse(_ticking(), content_type="application/x-ndjson")


async def _ticking() -> AsyncIterator[str]:
    while True:
        yield json.dumps(_height()) + "\n"
        await asyncio.sleep(TICK)


async def gauge(request: HttpRequest) -> JsonResponse:
    """Answer with the gauge once."""
    user = await request.auser()
    if not user.is_authenticated:
        return JsonResponse({"code": "not_signed_in"}, status=401)
    return JsonResponse(_height())


def _height() -> dict[str, float]:
    return {"height": 2.3 + 1.7 * math.sin(time.time() / 60)}


class Entry(forms.Form):
    """What takes a while to write, and should not be lost."""

    place = forms.CharField(max_length=80)
    text = forms.CharField(
        label="What happened", max_length=2000, widget=forms.Textarea({"rows": 8})
    )


class ShipsLog(LoginRequiredMixin, SuccessMessageMixin, FormView):
    """Keep the latest entry, in the session."""

    form_class = Entry
    template_name = "log.html"
    success_url = reverse_lazy("log")
    success_message = "Your entry is in the log."

    def form_valid(self, form: Entry) -> HttpResponse:
        """Keep what was written."""
        self.request.session["entry"] = form.cleaned_data
        return super().form_valid(form)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Show what was written last."""
        entry = self.request.session.get("entry")
        return super().get_context_data(entry=entry, **kwargs)


class Password(SuccessMessageMixin, PasswordChangeView):
    """Change the password. Every other session of the account ends."""

    success_url = reverse_lazy("members")
    success_message = "Your password is changed. Your other devices are signed out."


async def me(request: HttpRequest) -> HttpResponse:
    """Say in JSON who is signed in."""
    user = await request.auser()
    if not user.is_authenticated:
        return JsonResponse({"code": "not_signed_in"}, status=401)
    return JsonResponse({"user": user.get_username()})
