"""Signing in, and when that was committed."""

import threading
import time

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.contrib.auth import get_user_model, login
from django.http import HttpResponse

from session_limit import bus
from session_limit.signals import session_ended

committed = threading.local()
publish = bus.publish


def published(ids):
    """What is called first after the commit: the moment is kept, then it goes out."""
    committed.at = time.monotonic_ns()
    publish(ids)


bus.publish = published


def sign_in(request):
    """Sign in as the user who is named: a real sign-in, but for the password."""
    user = get_user_model().objects.get(username=request.GET["user"])
    committed.at = 0
    started = time.perf_counter_ns()
    login(request, user, "django.contrib.auth.backends.ModelBackend")
    took = time.perf_counter_ns() - started
    headers = {"X-Committed": committed.at, "X-Took": took}
    return HttpResponse(headers=headers)


def tell_group(session, **kwargs):
    """What a project does by itself, after the commit."""
    send = async_to_sync(get_channel_layer().group_send)
    send(f"session_{session.pk.hex}", {"type": "ended"})


if settings.BUS == "channels":
    session_ended.connect(tell_group)
