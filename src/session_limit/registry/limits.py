"""Get the limits of an account from its own row or from the project's ``Rules``."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured

from session_limit.models import AccountLimit, registry_alias
from session_limit.policy import AtLimit
from session_limit.rules import get_rules

NO_LIMIT = "A limit is None or a whole number from 1, not {!r}."


def read_account(user: AbstractBaseUser, using: str) -> AccountLimit:
    """Return the ``AccountLimit`` row of ``user``, or an unsaved default row."""
    account = AccountLimit.objects.using(using).filter(pk=user.pk).first()
    return account or unrecorded_account(user)


def unrecorded_account(user: AbstractBaseUser) -> AccountLimit:
    """Return an unsaved ``AccountLimit`` row for ``user`` with default values."""
    return AccountLimit(user_id=user.pk, limit=None, password_changed_at=None)


def limit_of(user: AbstractBaseUser, scope: str = "") -> int | None:
    """
    Return the maximum number of live sessions of ``user`` in ``scope``.

    A scope is a group of sessions that are counted together. ``None`` means no limit.
    Raises ``ImproperlyConfigured`` if the project's ``Rules`` return an invalid limit.
    """
    return limit_for(user, scope, read_account(user, registry_alias()))


def limit_for(user: AbstractBaseUser, scope: str, account: AccountLimit) -> int | None:
    """
    Return the session limit of ``user`` in ``scope``, given the user's ``account`` row.

    A number in that row takes precedence over the project's ``Rules``.
    """
    if account.limit is not None:
        if not is_limit(account.limit):
            raise ImproperlyConfigured(NO_LIMIT.format(account.limit))
        return account.limit
    return get_rules().limit(user, scope)


def play_limit_of(user: AbstractBaseUser, scope: str = "") -> int | None:
    """
    Return the maximum number of simultaneous playbacks of ``user`` in ``scope``.

    A scope is a group of playbacks that are counted together. ``None`` means no limit.
    Raises ``ImproperlyConfigured`` if the project's ``Rules`` return an invalid limit.
    """
    return get_rules().play_limit(user, scope)


def is_limit(limit: int | None) -> bool:
    """Return whether ``limit`` is ``None`` or a positive integer (not ``True``)."""
    return limit is None or (type(cast("object", limit)) is int and limit >= 1)


def at_limit_for(user: AbstractBaseUser, scope: str) -> AtLimit:
    """
    Return the policy for sign-ins of ``user`` that exceed the limit in ``scope``.

    A scope is a group of sessions that are counted together. Raises
    ``ImproperlyConfigured`` if the project's ``Rules`` return an unknown value.
    """
    return AtLimit(get_rules().at_limit(user, scope))


def play_at_limit_for(user: AbstractBaseUser, scope: str) -> AtLimit:
    """Return how to handle a playback beyond the limit of ``user`` in ``scope``."""
    return AtLimit(get_rules().play_at_limit(user, scope))
