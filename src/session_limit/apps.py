"""The application's configuration."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SessionLimitConfig(AppConfig):
    name = "session_limit"
    verbose_name = _("Session limit")

    def ready(self) -> None:
        from session_limit import checks, receivers

        checks.register_checks()
        receivers.connect()
