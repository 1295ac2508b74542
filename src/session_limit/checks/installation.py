"""System checks for the project's middleware, apps, URLs and re-authentication."""

from __future__ import annotations

import contextlib
import functools
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
from session_limit.conf import conf
from session_limit.middleware import SessionLimitMiddleware
from session_limit.pages.links import ENDED_VIEW
from session_limit.policy import AtLimit
from session_limit.rules import Rules


def check_middleware(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Check that ``SessionLimitMiddleware`` is listed once, in the right place."""
    classes = [imported(path) for path in settings.MIDDLEWARE]
    found = [is_subclass(each, SessionLimitMiddleware) for each in classes]
    error = functools.partial(
        checks.Error,
        hint='Put "session_limit.middleware.SessionLimitMiddleware" directly below '
        '"django.contrib.sessions.middleware.SessionMiddleware", once.',
    )
    if not any(found):
        yield error(
            "SessionLimitMiddleware is not in MIDDLEWARE, so ended sessions would "
            "still authenticate.",
            id="session_limit.E101",
        )
        return
    if found.count(True) > 1:
        yield error(
            f"SessionLimitMiddleware is in MIDDLEWARE {found.count(True)} times.",
            id="session_limit.E102",
        )
    outer = classes[: found.index(True)]
    if not (outer and is_subclass(outer[-1], SessionMiddleware)):
        yield error(
            "SessionLimitMiddleware is not directly below SessionMiddleware. "
            "Middleware between them would see sessions that have ended.",
            id="session_limit.E103",
        )


def check_apps(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """
    Check the order of ``INSTALLED_APPS``, and the app that the session engine needs.

    ``session_limit`` must be below ``django.contrib.auth``. If the session engine has a
    model, the app that contains the model must be installed.
    """
    # django.contrib.auth is in the list, or Django could not import our models.
    names = [config.name for config in apps.get_app_configs()]
    if names.index("session_limit") < names.index("django.contrib.auth"):
        yield checks.Error(
            "session_limit is above django.contrib.auth in INSTALLED_APPS. A sign-in "
            "would take locks in the wrong order, and could deadlock with a password "
            "change.",
            hint='Move "session_limit" below "django.contrib.auth".',
            id="session_limit.E201",
        )
    store = import_module(settings.SESSION_ENGINE).SessionStore
    if not issubclass(store, SessionStore):
        return
    # The import of a model raises RuntimeError if its app is not installed.
    with contextlib.suppress(RuntimeError):
        if store.get_model_class()._meta.app_label in apps.app_configs:
            return
    yield checks.Error(
        f'SESSION_ENGINE "{settings.SESSION_ENGINE}" stores sessions in a table of an '
        "app that is not in INSTALLED_APPS.",
        hint='For Django\'s own engines, add "django.contrib.sessions".',
        id="session_limit.E202",
    )


def check_urls(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """
    Check that ``ROOT_URLCONF`` includes ``session_limit.urls``.

    If the URLs are included, also warn if ``django.contrib.staticfiles`` is not
    installed. Without that app, the package's pages have no style sheet.
    """
    if not getattr(settings, "ROOT_URLCONF", None):
        return  # Django's own URL checks skip such a project too
    with contextlib.suppress(NoReverseMatch):
        reverse(ENDED_VIEW)
        if not apps.is_installed("django.contrib.staticfiles"):
            yield checks.Warning(
                "django.contrib.staticfiles is not installed, so the pages of "
                "session_limit have no style sheet.",
                hint='Add "django.contrib.staticfiles" to INSTALLED_APPS.',
                id="session_limit.W404",
            )
        return
    hint = 'Add path("account/sessions/", include("session_limit.urls")).'
    if getattr(settings, "SESSION_LIMIT_AT_LIMIT", None) == AtLimit.ASK:
        yield checks.Error(
            "session_limit.urls are not included in ROOT_URLCONF. With "
            'SESSION_LIMIT_AT_LIMIT = "ask" nobody can choose which session to end, '
            "and a sign-in at the limit is refused.",
            hint=hint,
            id="session_limit.E402",
        )
    else:
        yield checks.Warning(
            "session_limit.urls are not included in ROOT_URLCONF. People cannot see "
            "and end their sessions, and after an automatic sign-in they cannot choose "
            "to use this browser instead.",
            hint=hint,
            id="session_limit.W401",
        )


def check_reauthentication(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """
    Warn if django-allauth is installed, but not used to re-authenticate users.

    The package's own form accepts only a password. The page of django-allauth may also
    accept other factors.
    """
    if not apps.is_installed("allauth.account"):
        return
    rules = imported(conf.rules)
    if not is_subclass(rules, Rules):
        return  # check_settings() reports it
    if rules.reauthentication_url is Rules.reauthentication_url:
        yield checks.Warning(
            "django-allauth is installed, but people who end other sessions are asked "
            "for their password by a form of session_limit, even if allauth would "
            "accept another factor.",
            hint="Set SESSION_LIMIT_RULES to "
            "session_limit.contrib.allauth.AllauthRules or to a subclass of it.",
            id="session_limit.W403",
        )
