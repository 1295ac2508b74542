"""A system check for projects that keep users in more than one table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.core import checks

from session_limit.checks.classes import setting
from session_limit.store.users import is_of_users_family

# The packages whose backends find users of the user model.
_KNOWN = {"allauth", "axes", "django", "guardian", "rules", "sesame", "social_core"}


def check_users(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Warn if an authentication backend may sign in users of another table."""
    given = setting("AUTHENTICATION_BACKENDS")
    paths = given if isinstance(given, list | tuple) else []
    backends = [path for path in paths if str(path).partition(".")[0] not in _KNOWN]
    others = [
        model._meta.label
        for model in apps.get_models()
        if issubclass(model, AbstractBaseUser)
        and not model._meta.swapped
        and not is_of_users_family(model)
    ]
    if backends and others:
        yield checks.Warning(
            f"{', '.join(others)} may sign in, and AUTH_USER_MODEL is "
            f'"{settings.AUTH_USER_MODEL}". Only sessions of users in the table of '
            "AUTH_USER_MODEL are limited and recorded.",
            hint="Keep all users in one table, and what differs in other tables. If "
            "the other users need no limit, silence this warning.",
            id="session_limit.W203",
        )
