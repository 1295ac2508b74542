"""What an account's limit is: its own row first, then the project's rules."""

from __future__ import annotations

import enum
from typing import TypeVar, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured

from session_limit.models import AccountLimit, UserSession, registry_alias
from session_limit.policy import AtLimit
from session_limit.rules import get_rules

NO_LIMIT = "A limit is None or a whole number from 1, not {!r}."

Choice = TypeVar("Choice", bound=enum.StrEnum)


def read_account(user: AbstractBaseUser, using: str) -> AccountLimit:
    """Return the account's row, or what an account without one is like."""
    account = AccountLimit.objects.using(using).filter(pk=user.pk).first()
    return account or unrecorded_account(user)


def unrecorded_account(user: AbstractBaseUser) -> AccountLimit:
    """Return what the account of ``user`` is like if it has no row."""
    return AccountLimit(user_id=user.pk, limit=None, password_changed_at=None)


def limit_of(user: AbstractBaseUser, scope: str = "") -> int | None:
    """Return how many live sessions ``user`` may have in ``scope``."""
    return limit_for(user, scope, read_account(user, registry_alias()))


def limit_for(user: AbstractBaseUser, scope: str, account: AccountLimit) -> int | None:
    """
    Return the limit, given the account's row. Raises ``ImproperlyConfigured`` for
    one that is no limit: a sign-in is not the moment to guess.
    """
    limit = account.limit
    if limit is None:
        limit = get_rules().limit(user, scope)
    if is_limit(limit):
        return limit
    raise ImproperlyConfigured(NO_LIMIT.format(limit))


def is_limit(limit: int | None) -> bool:
    """Whether it can be one: callers may give anything, and True is no number."""
    return limit is None or (type(cast("object", limit)) is int and limit >= 1)


def at_limit_for(user: AbstractBaseUser, scope: str) -> AtLimit:
    """Return what happens at the limit. Raises ``ImproperlyConfigured``."""
    return choose(AtLimit, get_rules().at_limit(user, scope), "Rules.at_limit()")


def choose(choices: type[Choice], answer: str, asked: str) -> Choice:
    """
    Return which of the ``choices`` the ``answer`` is of what was ``asked``. Raises
    ``ImproperlyConfigured``.
    """
    try:
        return choices(answer)
    except ValueError:
        names = ", ".join(repr(choice.value) for choice in choices)
        raise ImproperlyConfigured(
            f"{asked} returns one of {names}, not {answer!r}."
        ) from None


def storable_scope(scope: str, asked: str) -> str:
    """
    Return ``scope``, which was ``asked`` of the rules, if it can be stored. Raises
    ``ImproperlyConfigured``.
    """
    longest = cast("int", UserSession._meta.get_field("scope").max_length)
    if isinstance(cast("object", scope), str) and len(scope) <= longest:
        return scope
    raise ImproperlyConfigured(
        f"Rules.{asked}() returns a string of at most {longest} characters, "
        f"not {scope!r}."
    )
