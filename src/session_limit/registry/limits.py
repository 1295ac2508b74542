"""What an account's limit is: its own row first, then the project's rules."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured

from session_limit.conf import conf
from session_limit.models import AccountLimit, UserSession
from session_limit.policy import AtLimit
from session_limit.verify import registry_alias

NO_LIMIT = "A session limit is None or a whole number from 1, not {!r}."


def read_account(user: AbstractBaseUser, using: str) -> AccountLimit:
    """Return the account's row, or what an account without one is like."""
    account = AccountLimit.objects.using(using).filter(pk=user.pk).first()
    return account or AccountLimit(
        user_id=user.pk, limit=None, password_changed_at=None
    )


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
        limit = conf.rules.limit(user, scope)
    if is_limit(limit):
        return limit
    raise ImproperlyConfigured(NO_LIMIT.format(limit))


def is_limit(limit: int | None) -> bool:
    """Whether it can be one: callers may give anything, and True is no number."""
    return limit is None or (type(cast("object", limit)) is int and limit >= 1)


def at_limit_for(user: AbstractBaseUser, scope: str) -> AtLimit:
    """Return what happens at the limit. Raises ``ImproperlyConfigured``."""
    answer = conf.rules.at_limit(user, scope)
    try:
        return AtLimit(answer)
    except ValueError:
        choices = ", ".join(repr(choice.value) for choice in AtLimit)
        raise ImproperlyConfigured(
            f"Rules.at_limit() returns one of {choices}, not {answer!r}."
        ) from None


def scope_for(scope: str) -> str:
    """Return ``scope`` if it can be stored. Raises ``ImproperlyConfigured``."""
    longest = cast("int", UserSession._meta.get_field("scope").max_length)
    if isinstance(cast("object", scope), str) and len(scope) <= longest:
        return scope
    raise ImproperlyConfigured(
        f"Rules.scope() returns a string of at most {longest} characters, "
        f"not {scope!r}."
    )
