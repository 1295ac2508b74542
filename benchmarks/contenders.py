"""
Define what the benchmarks compare: plain Django, this package, and alternatives.

The alternatives are packages on PyPI. This module imports neither Django nor a measured
package before it is used, so that it works in every environment.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Settings = dict[str, Any]

# Every environment contains these. All requirements are pinned in this file.
COMMON = (
    "Django==5.2.19",
    "gunicorn==27.0.1",
    "psycopg[binary,pool]==3.3.9",
    "pymemcache==4.0.0",
    "redis==8.1.0",
    "uvicorn==0.54.0",
)
# The process that measures needs these in addition.
HARNESS = ("channels==4.3.2", "channels_redis==4.3.0", "websockets==17.4")

ENGINES = {
    name: f"django.contrib.sessions.backends.{name}"
    for name in ("db", "cached_db", "cache", "file", "signed_cookies")
}
AUTH = "django.contrib.auth"
SESSIONS = "django.contrib.sessions"
LAST_APP = "django.contrib.staticfiles"
SESSION_MIDDLEWARE = "django.contrib.sessions.middleware.SessionMiddleware"
AUTH_MIDDLEWARE = "django.contrib.auth.middleware.AuthenticationMiddleware"
LAST_MIDDLEWARE = "django.middleware.clickjacking.XFrameOptionsMiddleware"


def nothing_more(request: Any) -> None:
    """Do nothing after ``login()``, because the package limits sessions by itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """
    A configuration of the project in ``benchmarks.project``, to be measured.

    The settings are those in the contender's documentation, to which
    docs/explanation/benchmarks.md links. ``after_sign_in`` is the function that,
    according to this documentation, a project calls after ``login()`` to keep one
    session per account.
    """

    name: str
    # A directory in .venv-bench. Contenders that need the same packages share one.
    environment: str
    requirements: tuple[str, ...] = ()
    engines: tuple[str, ...] = tuple(ENGINES)
    # The number of live sessions per account that the contender enforces by itself.
    limit: int | None = 1
    # Maps an entry of INSTALLED_APPS or MIDDLEWARE to the entries that replace it.
    instead: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    # The package that contains session engines with the same names as Django's.
    engine_package: str = ""
    after_sign_in: Callable[[Any], None] = nothing_more
    urls: tuple[tuple[str, str], ...] = ()

    def configure(self, settings: Settings) -> None:
        """
        Add this contender to ``settings``, the settings of a default project.

        ``SESSION_ENGINE`` must be one of ``engines``.
        """
        for name in ("INSTALLED_APPS", "MIDDLEWARE"):
            entries = [self.instead.get(entry, (entry,)) for entry in settings[name]]
            settings[name] = [entry for group in entries for entry in group]
        if self.engine_package:
            engine = settings["SESSION_ENGINE"].rpartition(".")[2]
            settings["SESSION_ENGINE"] = f"{self.engine_package}.backends.{engine}"
        settings |= self.settings


def delete_other_sessions(request: Any) -> None:
    """Delete the account's other sessions, as django-user-sessions documents it."""
    own = request.session.session_key
    request.user.session_set.exclude(session_key=own).delete()


def delete_others_one_by_one(request: Any) -> None:
    """
    Delete the account's other sessions, one by one.

    On the ``cached_db`` engine of django-qsessions, ``session_set.delete()`` raises an
    exception if there are none.
    """
    own = request.session.session_key
    for session in request.user.session_set.exclude(session_key=own):
        session.delete()


def allauth_sign_in(request: Any) -> None:
    """
    Do what allauth does after ``login()``, and end other sessions as its page does.
    """
    from allauth.account.signals import user_logged_in
    from allauth.usersessions.internal.flows.sessions import end_other_sessions

    user_logged_in.send(type(request.user), request=request, user=request.user)
    end_other_sessions(request, request.user)


def delete_other_profiles(request: Any) -> None:
    """Delete the account's other sessions and their django-sessionprofile rows."""
    from sessionprofile.models import SessionProfile

    own = request.session.session_key
    profiles = SessionProfile.objects.filter(user=request.user)
    for profile in profiles.exclude(session_key=own):
        request.session.delete(profile.session_key)
        profile.delete()


def below_auth(middleware: str) -> dict[str, tuple[str, ...]]:
    return {AUTH_MIDDLEWARE: (AUTH_MIDDLEWARE, middleware)}


PLAIN = Contender("plain", "plain", limit=None)
# Plain Django once more. The distance of its ratio from 1 shows how large a difference
# must be to mean anything.
CONTROL = dataclasses.replace(PLAIN, name="control")
# Plain Django with a middleware that does nothing. No middleware can cost less.
EMPTY = dataclasses.replace(
    PLAIN,
    name="empty-middleware",
    instead={
        SESSION_MIDDLEWARE: (SESSION_MIDDLEWARE, "benchmarks.project.middleware.empty")
    },
)
# The same with one that only changes the classes of the request and of its session. By
# design, this package's middleware cannot cost less.
CLASSES = dataclasses.replace(
    PLAIN,
    name="classes-only",
    instead={
        SESSION_MIDDLEWARE: (
            SESSION_MIDDLEWARE,
            "benchmarks.project.middleware.classes",
        )
    },
)
OURS = Contender(
    "session-limit",
    "session-limit",
    # tests/finality uses the engines of django-qsessions with this package.
    requirements=("django-qsessions==2.1.0",),
    instead={
        AUTH: (AUTH, "session_limit"),
        SESSION_MIDDLEWARE: (
            SESSION_MIDDLEWARE,
            "session_limit.middleware.SessionLimitMiddleware",
        ),
    },
    urls=(("account/sessions/", "session_limit.urls"),),
)
FIVE = dataclasses.replace(
    OURS, name="session-limit-5", limit=5, settings={"SESSION_LIMIT": 5}
)
WITH_PLAYS = dataclasses.replace(
    OURS, name="session-limit-plays", settings={"SESSION_LIMIT_PLAYS": 1}
)
ALLAUTH = Contender(
    "allauth-sessions",
    "allauth-sessions",
    ("django-allauth==65.21.1",),
    limit=None,
    instead={
        LAST_APP: (
            LAST_APP,
            "django.contrib.humanize",
            "allauth",
            "allauth.account",
            "allauth.usersessions",
        ),
        **below_auth("allauth.account.middleware.AccountMiddleware"),
    },
    settings={
        "AUTHENTICATION_BACKENDS": [
            "django.contrib.auth.backends.ModelBackend",
            "allauth.account.auth_backends.AuthenticationBackend",
        ]
    },
    after_sign_in=allauth_sign_in,
    urls=(("accounts/", "allauth.urls"),),
)
QSESSIONS = Contender(
    "qsessions-db",
    "qsessions",
    ("django-qsessions==2.1.0",),
    engines=("db",),
    limit=None,
    instead={
        SESSIONS: ("qsessions",),
        SESSION_MIDDLEWARE: ("qsessions.middleware.SessionMiddleware",),
    },
    engine_package="qsessions",
    after_sign_in=delete_others_one_by_one,
)

MEASURED = (
    PLAIN,
    OURS,
    FIVE,
    # The recipe that many tutorials give, in tests/cap/recipe: a table with one session
    # key per user, two receivers and a middleware.
    Contender(
        "tutorial",
        "plain",
        # The recipe fails on engines without a table.
        engines=("db", "cached_db"),
        instead={
            LAST_APP: (LAST_APP, "tests.cap.recipe.apps.RecipeConfig"),
            **below_auth("tests.cap.recipe.middleware.OneSessionPerUserMiddleware"),
        },
    ),
    Contender(
        "preventconcurrentlogins",
        "preventconcurrentlogins",
        ("django-preventconcurrentlogins==0.8.2",),
        instead={
            LAST_APP: (LAST_APP, "preventconcurrentlogins"),
            **below_auth(
                "preventconcurrentlogins.middleware.PreventConcurrentLoginsMiddleware"
            ),
        },
    ),
    Contender(
        "single-session",
        "single-session",
        ("django-single-session==0.2.0",),
        # The package refuses to start with other engines.
        engines=("db",),
        instead={LAST_APP: (LAST_APP, "single_session")},
    ),
    Contender(
        "singlelogin",
        "singlelogin",
        ("django-singlelogin==0.0.3",),
        instead={
            LAST_APP: (LAST_APP, "singlelogin"),
            **below_auth("singlelogin.middleware.OneSessionPerUserMiddleware"),
        },
    ),
    Contender(
        "user-sessions",
        "user-sessions",
        # The package imports pkg_resources, which newer versions of setuptools lack.
        ("django-user-sessions==2.0.0", "setuptools<81"),
        engines=("db",),
        limit=None,
        instead={
            SESSIONS: ("user_sessions",),
            SESSION_MIDDLEWARE: ("user_sessions.middleware.SessionMiddleware",),
        },
        engine_package="user_sessions",
        # The admin checks for Django's own session middleware by name.
        settings={"SILENCED_SYSTEM_CHECKS": ["admin.E410"]},
        after_sign_in=delete_other_sessions,
    ),
    QSESSIONS,
    dataclasses.replace(QSESSIONS, name="qsessions-cached-db", engines=("cached_db",)),
    ALLAUTH,
    dataclasses.replace(
        ALLAUTH,
        name="allauth-sessions-tracking",
        instead={
            **ALLAUTH.instead,
            LAST_MIDDLEWARE: (
                LAST_MIDDLEWARE,
                "allauth.usersessions.middleware.UserSessionsMiddleware",
            ),
        },
        settings={**ALLAUTH.settings, "USERSESSIONS_TRACK_ACTIVITY": True},
    ),
    Contender(
        "sessionprofile",
        "sessionprofile",
        ("django-sessionprofile==3.0.0",),
        limit=None,
        instead={
            LAST_APP: (LAST_APP, "sessionprofile"),
            SESSION_MIDDLEWARE: (
                "sessionprofile.middleware.SessionProfileMiddleware",
                SESSION_MIDDLEWARE,
            ),
        },
        after_sign_in=delete_other_profiles,
    ),
)
BY_NAME = {each.name: each for each in (*MEASURED, CONTROL, EMPTY, CLASSES, WITH_PLAYS)}
