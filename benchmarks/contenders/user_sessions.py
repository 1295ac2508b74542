"""django-user-sessions: an engine of its own whose rows know their user."""

from __future__ import annotations

from typing import Any

from benchmarks.contenders.base import DJANGO_SESSIONS, Contender, Settings, replace


def configure(settings: Settings) -> None:
    replace(settings["INSTALLED_APPS"], "django.contrib.sessions", "user_sessions")
    replace(
        settings["MIDDLEWARE"],
        DJANGO_SESSIONS,
        "user_sessions.middleware.SessionMiddleware",
    )
    settings["SESSION_ENGINE"] = "user_sessions.backends.db"
    # The admin wants Django's own middleware by name.
    settings["SILENCED_SYSTEM_CHECKS"] = ["admin.E410"]


def after_sign_in(request: Any) -> None:
    others = request.user.session_set.exclude(session_key=request.session.session_key)
    others.delete()


CONTENDER = Contender(
    name="user-sessions",
    requirement="django-user-sessions",
    documentation="https://django-user-sessions.readthedocs.io/",
    environment="user-sessions",
    note="with a setuptools that still has `pkg_resources`, which it imports",
    engines=("db",),
    limits=False,
    configure=configure,
    after_sign_in=after_sign_in,
)
