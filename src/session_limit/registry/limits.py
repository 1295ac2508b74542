"""Ask the project for limits, and check its answers."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured

from session_limit.models import AccountLimit, UserSession, registry_alias
from session_limit.policy import AtLimit
from session_limit.rules import get_rules

NO_LIMIT = "A limit is None or a whole number from 1, not {!r}."


def read_account(user: AbstractBaseUser, using: str) -> AccountLimit:
    """Return the account row of ``user``, or an unsaved one if there is none."""
    account = AccountLimit.objects.using(using).filter(pk=user.pk).first()
    return account or unrecorded_account(user)


def unrecorded_account(user: AbstractBaseUser) -> AccountLimit:
    """Return an unsaved account row of ``user``, with the values of a new one."""
    return AccountLimit(user_id=user.pk, limit=None, password_changed_at=None)


def limit_of(user: AbstractBaseUser, scope: str = "") -> int | None:
    """
    Return how many live sessions ``user`` may have in ``scope``, or ``None`` for no
    limit. Raises ``ImproperlyConfigured`` if the rules return something else.
    """
    return limit_for(user, scope, read_account(user, registry_alias()))


def limit_for(user: AbstractBaseUser, scope: str, account: AccountLimit) -> int | None:
    """See ``limit_of()``. A number in the ``account`` row comes before the rules."""
    if account.limit is not None:
        return _checked(account.limit)
    return _checked(get_rules().limit(user, scope))


def play_limit_of(user: AbstractBaseUser, scope: str = "") -> int | None:
    """
    Return how many plays ``user`` may run at once in ``scope``, or ``None`` for no
    limit. Raises ``ImproperlyConfigured`` if the rules return something else.
    """
    return _checked(get_rules().play_limit(user, scope))


def _checked(limit: int | None) -> int | None:
    if is_limit(limit):
        return limit
    raise ImproperlyConfigured(NO_LIMIT.format(limit))


def is_limit(limit: int | None) -> bool:
    """Return whether ``limit`` can be one. ``True`` is no number here."""
    return limit is None or (type(cast("object", limit)) is int and limit >= 1)


def at_limit_for(user: AbstractBaseUser, scope: str) -> AtLimit:
    """
    Return what happens to a sign-in at the limit. Raises ``ImproperlyConfigured`` if
    the rules return something else.
    """
    return _known(get_rules().at_limit(user, scope), "at_limit")


def play_at_limit_for(user: AbstractBaseUser, scope: str) -> AtLimit:
    """Return what happens to a play at the limit. See ``at_limit_for()``."""
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
    """
    Return ``scope``, which the rules' method ``asked`` returned. Raises
    ``ImproperlyConfigured`` if the database cannot store it.
    """
    longest = cast("int", UserSession._meta.get_field("scope").max_length)
    if isinstance(cast("object", scope), str) and len(scope) <= longest:
        return scope
    raise ImproperlyConfigured(
        f"Rules.{asked}() returns a string of at most {longest} characters, "
        f"not {scope!r}."
    )
