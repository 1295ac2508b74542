"""
Views of the example site, in plain Django. None of them uses session_limit.

A displaced browser learns the reason from the members' page and from the JSON view. It
can open the public page like any visitor.
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

# The time between two readings of the gauge, in seconds.
TICK = 0.5


def home(request: HttpRequest) -> HttpResponse:
    """
    Show the public page. The view does not read the session, so a cache may store the
    page.
    """
    return render(request, "home.html")


@login_required
def members(request: HttpRequest) -> HttpResponse:
    """Show the page that only signed-in members can read."""
    return render(request, "members.html")


@login_required
def live(request: HttpRequest) -> HttpResponse:
    """Show the page with the livestream and the tide gauge."""
    # Under WSGI, a stream would occupy a worker, so the page polls the gauge instead.
    feed_url = reverse("feed") if isinstance(request, ASGIRequest) else ""
    return render(request, "live.html", {"feed": feed_url})


@login_required
async def feed(request: HttpRequest) -> StreamingHttpResponse:
    """
    Stream readings of the tide gauge while the client is connected.

    ``SessionGuard`` cuts the stream when the session ends.
    """
    return StreamingHttpResponse(_ticking(), content_type="application/x-ndjson")


async def _ticking() -> AsyncIterator[str]:
    while True:
        yield json.dumps(_height()) + "\n"
        await asyncio.sleep(TICK)


async def gauge(request: HttpRequest) -> JsonResponse:
    """Return one reading of the tide gauge as JSON."""
    user = await request.auser()
    if not user.is_authenticated:
        return JsonResponse({"code": "not_signed_in"}, status=401)
    return JsonResponse(_height())


def _height() -> dict[str, float]:
    return {"height": 2.3 + 1.7 * math.sin(time.time() / 60)}


class Entry(forms.Form):
    """A form for an entry in the ship's log, which takes a while to write."""

    place = forms.CharField(max_length=80)
    text = forms.CharField(
        label="What happened", max_length=2000, widget=forms.Textarea({"rows": 8})
    )


class ShipsLog(LoginRequiredMixin, SuccessMessageMixin, FormView):
    """
    A page with a form for an entry in the ship's log. The session keeps the latest
    entry.
    """

    form_class = Entry
    template_name = "log.html"
    success_url = reverse_lazy("log")
    success_message = "Your entry is in the log."

    def form_valid(self, form: Entry) -> HttpResponse:
        """Store the entry in the session."""
        self.request.session["entry"] = form.cleaned_data
        return super().form_valid(form)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the latest entry to the template's context."""
        entry = self.request.session.get("entry")
        return super().get_context_data(entry=entry, **kwargs)


class Password(SuccessMessageMixin, PasswordChangeView):
    """A page to change the password, which ends all other sessions of the account."""

    success_url = reverse_lazy("members")
    success_message = "Your password is changed. Your other devices are signed out."


async def me(request: HttpRequest) -> HttpResponse:
    """Return the name of the signed-in user as JSON."""
    user = await request.auser()
    if not user.is_authenticated:
        return JsonResponse({"code": "not_signed_in"}, status=401)
    return JsonResponse({"user": user.get_username()})
