"""How the package was put into a project: middleware, apps, addresses."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.middleware import SessionMiddleware
from django.core import checks
from django.urls import NoReverseMatch, reverse

from session_limit.checks.classes import imported, is_subclass
from session_limit.middleware import SessionLimitMiddleware
from session_limit.pages.links import ENDED_VIEW
from session_limit.policy import AtLimit
from session_limit.rules import Rules


def check_middleware(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Check that ours is there, once, and directly inside the sessions'."""
    classes = [imported(path) for path in settings.MIDDLEWARE]
    ours = [
        position
        for position, middleware in enumerate(classes)
        if is_subclass(middleware, SessionLimitMiddleware)
    ]
    hint = (
        'Put "session_limit.middleware.SessionLimitMiddleware" directly below '
        '"django.contrib.sessions.middleware.SessionMiddleware", once.'
    )
    if not ours:
        yield checks.Error(
            "SessionLimitMiddleware is not in MIDDLEWARE: a session that has ended "
            "would go on.",
            hint=hint,
            id="session_limit.E101",
        )
        return
    if len(ours) > 1:
        yield checks.Error(
            f"SessionLimitMiddleware is in MIDDLEWARE {len(ours)} times.",
            hint=hint,
            id="session_limit.E102",
        )
    outer = classes[: ours[0]]
    if not (outer and is_subclass(outer[-1], SessionMiddleware)):
        yield checks.Error(
            "SessionLimitMiddleware is not directly below SessionMiddleware: what "
            "stands between them would see sessions that have ended.",
            hint=hint,
            id="session_limit.E103",
        )


def check_apps(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Check the place among the apps, and for the one that the engine needs."""
    # Without django.contrib.auth at all, no model of ours could be imported.
    names = [config.name for config in apps.get_app_configs()]
    if names.index("session_limit") < names.index("django.contrib.auth"):
        yield checks.Error(
            "session_limit is above django.contrib.auth in INSTALLED_APPS: a sign-in "
            "would take its locks in the wrong order, and could deadlock with a change "
            "of password.",
            hint='Move "session_limit" below "django.contrib.auth".',
            id="session_limit.E201",
        )
    store = import_module(settings.SESSION_ENGINE).SessionStore
    if issubclass(store, SessionStore) and not _is_installed(store):
        yield checks.Error(
            f'SESSION_ENGINE "{settings.SESSION_ENGINE}" stores sessions in a table '
            "of an app that is not in INSTALLED_APPS.",
            hint='For Django\'s own engines, add "django.contrib.sessions".',
            id="session_limit.E202",
        )


def _is_installed(store: type[SessionStore]) -> bool:
    try:
        model = store.get_model_class()
    except RuntimeError:  # a model cannot even be imported without its app
        return False
    return model._meta.app_label in apps.app_configs


def check_urls(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Check that the pages of ours can be reached."""
    if not getattr(settings, "ROOT_URLCONF", None):
        return  # a project without pages, as Django's own checks see it
    try:
        reverse(ENDED_VIEW)
    except NoReverseMatch:
        pass
    else:
        if not apps.is_installed("django.contrib.staticfiles"):
            yield checks.Warning(
                "django.contrib.staticfiles is not installed: the pages of "
                "session_limit have no style.",
                hint='Add "django.contrib.staticfiles" to INSTALLED_APPS.',
                id="session_limit.W404",
            )
        return
    hint = 'Add path("account/sessions/", include("session_limit.urls")).'
    if getattr(settings, "SESSION_LIMIT_AT_LIMIT", None) == AtLimit.ASK:
        yield checks.Error(
            "session_limit.urls are not included in ROOT_URLCONF: with "
            'SESSION_LIMIT_AT_LIMIT = "ask" nobody can choose what to sign out, and a '
            "sign-in at the limit is refused.",
            hint=hint,
            id="session_limit.E402",
        )
    else:
        yield checks.Warning(
            "session_limit.urls are not included in ROOT_URLCONF: people cannot see "
            "and end their sessions, and whoever signs in without a form cannot choose "
            "to go on here.",
            hint=hint,
            id="session_limit.W401",
        )


def check_reauthentication(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Check that django-allauth's own page is where credentials are given again."""
    if not apps.is_installed("allauth.account"):
        return
    path = getattr(settings, "SESSION_LIMIT_RULES", None)
    rules = imported(path) if isinstance(path, str) else Rules
    if not is_subclass(rules, Rules):
        return  # check_settings() says so
    if rules.reauthentication_url is Rules.reauthentication_url:
        yield checks.Warning(
            "django-allauth is installed, and whoever ends other sessions is asked for "
            "their password by a form of ours, whatever else allauth would take.",
            hint="Name session_limit.contrib.allauth.AllauthRules in "
            "SESSION_LIMIT_RULES, or derive your rules from it.",
            id="session_limit.W403",
        )
