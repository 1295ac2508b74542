"""Get limits from the project's ``Rules``, and check that they are valid."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured

from session_limit.models import AccountLimit, UserSession, registry_alias
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
        return _checked(account.limit)
    return _checked(get_rules().limit(user, scope))


def play_limit_of(user: AbstractBaseUser, scope: str = "") -> int | None:
    """
    Return the maximum number of simultaneous playbacks of ``user`` in ``scope``.

    A scope is a group of playbacks that are counted together. ``None`` means no limit.
    Raises ``ImproperlyConfigured`` if the project's ``Rules`` return an invalid limit.
    """
    return _checked(get_rules().play_limit(user, scope))


def _checked(limit: int | None) -> int | None:
    if is_limit(limit):
        return limit
    raise ImproperlyConfigured(NO_LIMIT.format(limit))


def is_limit(limit: int | None) -> bool:
    """Return whether ``limit`` is ``None`` or a positive integer (not ``True``)."""
    return limit is None or (type(cast("object", limit)) is int and limit >= 1)


def at_limit_for(user: AbstractBaseUser, scope: str) -> AtLimit:
    """
    Return the policy for sign-ins of ``user`` that exceed the limit in ``scope``.

    A scope is a group of sessions that are counted together. Raises
    ``ImproperlyConfigured`` if the project's ``Rules`` return an unknown value.
    """
    return _known(get_rules().at_limit(user, scope), "at_limit")


def play_at_limit_for(user: AbstractBaseUser, scope: str) -> AtLimit:
    """Return how to handle a playback beyond the limit of ``user`` in ``scope``."""
    return _known(get_rules().play_at_limit(user, scope), "play_at_limit")


def _known(answer: str, asked: str) -> AtLimit:
    try:
        return AtLimit(answer)
    except ValueError:
        names = ", ".join(repr(choice.value) for choice in AtLimit)
        raise ImproperlyConfigured(
            f"Rules.{asked}() returns one of {names}, not {answer!r}."
        ) from None


def storable_scope(scope: str, asked: str) -> str:
    """Return ``scope``, or raise ``ImproperlyConfigured`` if it cannot be stored."""
    longest = cast("int", UserSession._meta.get_field("scope").max_length)
    if isinstance(cast("object", scope), str) and len(scope) <= longest:
        return scope
    raise ImproperlyConfigured(
        f"Rules.{asked}() returns a string of at most {longest} characters, "
        f"not {scope!r}."
    )
