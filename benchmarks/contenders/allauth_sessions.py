"""django-allauth's usersessions: a list of sessions, with and without tracking."""

from __future__ import annotations

import dataclasses
from typing import Any

from benchmarks.contenders.base import DJANGO_AUTH, Contender, Settings, below


def configure(settings: Settings) -> None:
    settings["INSTALLED_APPS"] += [
        "django.contrib.humanize",
        "allauth",
        "allauth.account",
        "allauth.usersessions",
    ]
    settings["AUTHENTICATION_BACKENDS"] = [
        "django.contrib.auth.backends.ModelBackend",
        "allauth.account.auth_backends.AuthenticationBackend",
    ]
    below(
        settings["MIDDLEWARE"],
        DJANGO_AUTH,
        "allauth.account.middleware.AccountMiddleware",
    )


def configure_tracking(settings: Settings) -> None:
    configure(settings)
    settings["USERSESSIONS_TRACK_ACTIVITY"] = True
    settings["MIDDLEWARE"].append(
        "allauth.usersessions.middleware.UserSessionsMiddleware"
    )


def after_sign_in(request: Any) -> None:
    """
    What allauth's own sign-in does after ``login()``, and what its page of sessions
    does when it is asked to end the others.
    """
    from allauth.account.signals import user_logged_in
    from allauth.usersessions.internal.flows.sessions import end_other_sessions

    user_logged_in.send(type(request.user), request=request, user=request.user)
    end_other_sessions(request, request.user)


CONTENDER = Contender(
    name="allauth-sessions",
    requirement="django-allauth",
    documentation="https://docs.allauth.org/en/latest/usersessions/",
    environment="allauth-sessions",
    note="signs in with Django's `login()`, then does what allauth's sign-in adds",
    limits=False,
    configure=configure,
    after_sign_in=after_sign_in,
    urls=(("accounts/", "allauth.urls"),),
)
TRACKING = dataclasses.replace(
    CONTENDER, name="allauth-sessions-tracking", configure=configure_tracking
)
