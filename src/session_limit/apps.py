"""The Django app configuration, which registers checks and signal receivers."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from session_limit.utils import request_log


class SessionLimitConfig(AppConfig):
    name = "session_limit"
    verbose_name = _("Session limit")

    def ready(self) -> None:
        from session_limit import checks, receivers

        checks.register_checks()
        receivers.connect()
        request_log.connect()
