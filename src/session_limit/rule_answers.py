"""
Check what the methods of a project's ``Rules`` return, and name a method that fails.

The methods run during sign-ins and in background threads, where an unexpected value
would fail later and somewhere else.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Hashable, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, cast

from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import Promise

from session_limit.models import UserSession
from session_limit.setting_kinds import SETTINGS, Kind

_LONGEST_SCOPE = cast("int", UserSession._meta.get_field("scope").max_length)


def _of_setting(name: str) -> Kind:
    _, kind = SETTINGS[name]
    return kind


def _is_scope(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_SCOPE


def _is_timeout(value: Any) -> bool:
    return value is None or (isinstance(value, timedelta) and value > timedelta())


def _is_address(value: Any) -> bool:
    return isinstance(value, str | Promise)


def _is_truth(value: Any) -> bool:
    # Text such as "no" is true. Other objects are accepted as Python accepts them, for
    # example the result of "user.profile and user.profile.is_internal".
    return not isinstance(value, str | bytes) and not callable(value)


_SCOPE = Kind(f"a string of at most {_LONGEST_SCOPE} characters", _is_scope, "")
_TIMEOUT = Kind("None or a datetime.timedelta above zero", _is_timeout, "")
_TRUTH = Kind("True or False", _is_truth, "")

# For each method of Rules, the kind of value that it may return.
ANSWERS: Mapping[str, Kind] = {
    "limit": _of_setting("SESSION_LIMIT"),
    "at_limit": _of_setting("SESSION_LIMIT_AT_LIMIT"),
    "scope": _SCOPE,
    "exempt": _TRUTH,
    "after_sign_in": Kind('an address, or "" for LOGIN_REDIRECT_URL', _is_address, ""),
    "play_limit": _of_setting("SESSION_LIMIT_PLAYS"),
    "play_at_limit": _of_setting("SESSION_LIMIT_PLAYS_AT_LIMIT"),
    "play_scope": _SCOPE,
    "idle_timeout": _TIMEOUT,
    "absolute_timeout": _TIMEOUT,
    "is_activity": _TRUTH,
    "is_fresh": _TRUTH,
    "reauthentication_url": Kind(
        "None or an address", lambda value: value is None or _is_address(value), ""
    ),
    "tenant": Kind(
        "None or a hashable value", lambda value: isinstance(value, Hashable), ""
    ),
    "in_tenant": Kind(
        "a context manager", lambda value: isinstance(value, AbstractContextManager), ""
    ),
}


def check_answers(rules: object, path: str) -> None:
    """
    Make the methods of ``rules`` raise a clear error if they return an invalid value.

    ``path`` is the dotted path of the class in ``SESSION_LIMIT_RULES``. An invalid
    value raises ``ImproperlyConfigured``. An exception in a method propagates with a
    note that names the method. Raises ``ImproperlyConfigured`` at once if an attribute
    with the name of a method cannot be called.
    """
    for name in ANSWERS:
        method = _method(rules, name)
        if not callable(method):
            raise ImproperlyConfigured(
                f"{path}.{name} must be a method, not a {type(method).__name__}. "
                "SESSION_LIMIT_RULES names its class."
            )
        vars(rules)[name] = functools.partial(_ask, rules, name, f"{path}.{name}()")


def _method(rules: object, name: str) -> Any:
    """Return the method of the class of ``rules``, bound to ``rules``."""
    # The instance's own attribute of this name is the replacement.
    found = next(vars(each)[name] for each in type(rules).__mro__ if name in vars(each))
    bind = getattr(found, "__get__", None)
    return found if bind is None else bind(rules, type(rules))


def _ask(rules: object, name: str, called: str, *args: Any, **kwargs: Any) -> Any:
    """Call a method of the project's ``rules``, and return its valid answer."""
    note = f"Raised by {called}, a method of the class in SESSION_LIMIT_RULES."
    try:
        answer = _method(rules, name)(*args, **kwargs)
    except Exception as error:
        error.add_note(note)
        raise
    if inspect.iscoroutine(answer):
        answer.close()
        raise ImproperlyConfigured(
            f"{called} is asynchronous. Define it with def instead of async def. "
            "SESSION_LIMIT_RULES names its class."
        )
    kind = ANSWERS[name]
    if kind.is_valid(answer):
        return answer
    raise ImproperlyConfigured(
        f"{called} returned {answer!r}. It must return {kind.expected}. "
        "SESSION_LIMIT_RULES names its class."
    )
