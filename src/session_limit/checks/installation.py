"""System checks for the project's apps and re-authentication."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.core import checks

from session_limit.checks.classes import imported, is_subclass, rules_path
from session_limit.checks.session_storage import session_store
from session_limit.rules import Rules


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
    store = session_store()
    if store is None or not issubclass(store, SessionStore):
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


def check_reauthentication(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """
    Warn if django-allauth is installed, but not used to re-authenticate users.

    The package's own form accepts only a password. The page of django-allauth may also
    accept other factors.
    """
    if not apps.is_installed("allauth.account"):
        return
    rules = imported(rules_path())
    if not is_subclass(rules, Rules):
        return  # check_rules() reports it
    if rules.reauthentication_url is Rules.reauthentication_url:
        yield checks.Warning(
            "django-allauth is installed, but people who end other sessions are asked "
            "for their password by a form of session_limit, even if allauth would "
            "accept another factor.",
            hint="Set SESSION_LIMIT_RULES to "
            "session_limit.contrib.allauth.AllauthRules or to a subclass of it.",
            id="session_limit.W403",
        )
