"""Serve the example site as an ASGI application."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

from session_limit.asgi import SessionGuard

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example.settings")

application = SessionGuard(get_asgi_application())  # <- stops open pages at once
