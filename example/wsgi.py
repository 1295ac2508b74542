"""Serve the example site as a WSGI application."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from session_limit.wsgi import SessionGateway

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example.settings")

application = SessionGateway(get_wsgi_application())  # <- answers a proxy's questions
