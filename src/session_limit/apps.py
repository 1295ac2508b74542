"""The Django app configuration, which registers checks and signal receivers."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in
from django.utils.translation import gettext_lazy as _

from session_limit.utils import request_log


class SessionLimitConfig(AppConfig):
    name = "session_limit"
    verbose_name = _("Session limit")

    def import_models(self) -> None:
        super().import_models()
        from session_limit.store import last_login

        # The receiver must run before the one that django.contrib.auth connects when
        # all models are imported.
        user_logged_in.connect(
            last_login.signing_in, dispatch_uid="session_limit.signing_in"
        )

    def ready(self) -> None:
        from session_limit import checks, receivers

        checks.register_checks()
        receivers.connect()
        request_log.connect()
