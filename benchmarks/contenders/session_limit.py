"""This package: the wheel built from this tree."""

from __future__ import annotations

import dataclasses

from benchmarks.contenders.base import DJANGO_SESSIONS, Contender, Settings, below


def configure(settings: Settings) -> None:
    below(settings["INSTALLED_APPS"], "django.contrib.auth", "session_limit")
    below(
        settings["MIDDLEWARE"],
        DJANGO_SESSIONS,
        "session_limit.middleware.SessionLimitMiddleware",
    )


def configure_five(settings: Settings) -> None:
    configure(settings)
    settings["SESSION_LIMIT"] = 5


ONE = Contender(
    name="session-limit",
    requirement="django-session-limit",
    documentation="",
    environment="session-limit",
    note="built from this tree",
    configure=configure,
    urls=(("account/sessions/", "session_limit.urls"),),
)
FIVE = dataclasses.replace(
    ONE, name="session-limit-5", limit=5, configure=configure_five
)
