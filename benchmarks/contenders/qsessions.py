"""django-qsessions: two engines of its own whose rows know their user."""

from __future__ import annotations

import dataclasses
from typing import Any

from benchmarks.contenders.base import DJANGO_SESSIONS, Contender, Settings, replace


def configure(settings: Settings) -> None:
    replace(settings["INSTALLED_APPS"], "django.contrib.sessions", "qsessions")
    replace(
        settings["MIDDLEWARE"],
        DJANGO_SESSIONS,
        "qsessions.middleware.SessionMiddleware",
    )
    engine = settings["SESSION_ENGINE"].rpartition(".")[2]
    settings["SESSION_ENGINE"] = f"qsessions.backends.{engine}"


def after_sign_in(request: Any) -> None:
    others = request.user.session_set.exclude(session_key=request.session.session_key)
    # One by one: with its cached_db engine, Django's RedisCache raises where the
    # QuerySet's own delete() finds nothing to delete.
    for session in others:
        session.delete()


DB = Contender(
    name="qsessions-db",
    requirement="django-qsessions",
    documentation="https://github.com/QueraTeam/django-qsessions#usage",
    environment="qsessions",
    note="other sessions deleted one by one: `session_set.delete()` of none raises",
    engines=("db",),
    limits=False,
    configure=configure,
    after_sign_in=after_sign_in,
)
CACHED_DB = dataclasses.replace(DB, name="qsessions-cached-db", engines=("cached_db",))
