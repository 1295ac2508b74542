"""django-sessionprofile: a table that says whose a session is."""

from __future__ import annotations

from typing import Any

from benchmarks.contenders.base import DJANGO_SESSIONS, Contender, Settings


def configure(settings: Settings) -> None:
    settings["INSTALLED_APPS"].append("sessionprofile")
    middleware = settings["MIDDLEWARE"]
    middleware.insert(
        middleware.index(DJANGO_SESSIONS),
        "sessionprofile.middleware.SessionProfileMiddleware",
    )


def after_sign_in(request: Any) -> None:
    from sessionprofile.models import SessionProfile

    own = request.session.session_key
    profiles = SessionProfile.objects.filter(user=request.user).exclude(session_key=own)
    for profile in profiles:
        request.session.delete(profile.session_key)
        profile.delete()


CONTENDER = Contender(
    name="sessionprofile",
    requirement="django-sessionprofile",
    documentation="https://django-sessionprofile.readthedocs.io/en/latest/",
    environment="sessionprofile",
    note="its table is read to find the account's other sessions, which are deleted",
    limits=False,
    configure=configure,
    after_sign_in=after_sign_in,
)
