"""The values that each of the package's settings accepts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from django.utils.functional import Promise

from session_limit.policy import AtLimit, Displace

# In seconds. With a shorter lease, one lost renewal would end a play. With a longer
# one, a player that crashes would keep its place for longer than anybody waits.
SHORTEST_LEASE, LONGEST_LEASE = 10, 3600


class Kind(NamedTuple):
    """
    A kind of value that a setting accepts, such as a duration.

    ``expected`` completes the error message "SETTING must be ...". ``hint`` explains
    how to correct an invalid value. If ``may_be_secret`` is true, messages do not quote
    the value. ``may_be_zero`` says that zero works, although a check reports zero.
    """

    expected: str
    is_valid: Callable[[Any], bool]
    hint: str
    may_be_secret: bool = False
    may_be_zero: bool = False

    def works(self, value: Any) -> bool:
        """Return whether the package can work with ``value``."""
        is_zero = type(value) in {int, float, timedelta} and not value
        return self.is_valid(value) or (self.may_be_zero and is_zero)

    def problem(self, name: str, value: Any) -> str:
        """Return the error message for an invalid ``value`` of setting ``name``."""
        if isinstance(value, Promise):  # reverse_lazy() may fail, like its repr()
            given = "a lazy string"
        else:
            given = (
                f"this {type(value).__name__}" if self.may_be_secret else f"{value!r}"
            )
        return f"{name} must be {self.expected}, not {given}."


def is_whole_number(value: Any) -> bool:
    # bool is a subclass of int, but True as a number is surely a mistake.
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_positive(value: Any) -> bool:
    return is_whole_number(value) and value > 0


def _is_duration(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | timedelta):
        return False
    try:
        duration = value if isinstance(value, timedelta) else timedelta(seconds=value)
    except (OverflowError, ValueError):  # too large for a timedelta, or NaN
        return False
    return duration > timedelta()


def _is_lease(value: float | timedelta) -> bool:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    return SHORTEST_LEASE <= seconds <= LONGEST_LEASE


def is_bus(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("BACKEND"), str)
        and isinstance(value.get("OPTIONS", {}), dict)
        and value.keys() <= {"BACKEND", "OPTIONS"}
    )


def _one_of(choices: Sequence[str], hint: str) -> Kind:
    valid = set(choices)
    expected = "one of " + ", ".join(f'"{choice}"' for choice in choices)
    return Kind(expected, lambda value: isinstance(value, str) and value in valid, hint)


def _optional(kind: Kind) -> Kind:
    return Kind(
        f"None or {kind.expected}",
        lambda value: value is None or kind.is_valid(value),
        kind.hint,
        may_be_zero=kind.may_be_zero,
    )


def _dotted_path(of: str, hint: str) -> Kind:
    expected = f"the dotted path of a {of}, as a string"
    return Kind(expected, lambda value: isinstance(value, str), hint)


_SECONDS = "Use a number of seconds or a datetime.timedelta."
_DURATION = Kind("a duration above zero", _is_duration, _SECONDS, may_be_zero=True)
_ADDRESS = Kind(
    "an address",
    lambda value: isinstance(value, str | Promise),
    'Use a string such as "/account/secure/", or reverse_lazy().',
)

# For each setting, the id of its check and the kind of value that it accepts.
SETTINGS = {
    "SESSION_LIMIT": (
        "session_limit.E001",
        _optional(
            Kind(
                "a whole number above zero",
                _is_positive,
                "A value from the environment is a string: convert it with int().",
            )
        ),
    ),
    "SESSION_LIMIT_AT_LIMIT": (
        "session_limit.E003",
        _one_of(
            list(AtLimit), "It decides what happens to a sign-in beyond the limit."
        ),
    ),
    "SESSION_LIMIT_DISPLACE": (
        "session_limit.E004",
        _one_of(list(Displace), "It decides which session makes room for a newer one."),
    ),
    "SESSION_LIMIT_RULES": (
        "session_limit.E005",
        _dotted_path("class", 'For example "accounts.rules.PlanRules".'),
    ),
    "SESSION_LIMIT_BUS": (
        "session_limit.E021",
        Kind(
            "a dictionary with a BACKEND and optional OPTIONS",
            is_bus,
            'For example {"BACKEND": "session_limit.bus.redis.RedisBus", "OPTIONS": '
            '{"url": "redis://127.0.0.1:6379/0"}}.',
            may_be_secret=True,
        ),
    ),
    "SESSION_LIMIT_JOIN_USER": (
        "session_limit.E039",
        Kind(
            "True or False",
            lambda value: isinstance(value, bool),
            "With False, Django reads the user of a session in a statement of its own.",
        ),
    ),
    "SESSION_LIMIT_PLAYS": (
        "session_limit.E025",
        _optional(
            Kind(
                "a whole number above zero",
                _is_positive,
                "None sets no limit on plays. To use no plays, remove the setting.",
            )
        ),
    ),
    "SESSION_LIMIT_PLAYS_AT_LIMIT": (
        "session_limit.E026",
        _one_of(list(AtLimit), "It decides what happens to a play beyond the limit."),
    ),
    "SESSION_LIMIT_PLAY_COOLDOWN": (
        "session_limit.E027",
        Kind(
            "a duration, or 0",
            lambda value: (
                _is_duration(value)
                or (
                    isinstance(value, int | float) and value == 0 and value is not False
                )
                or (isinstance(value, timedelta) and not value)
            ),
            _SECONDS,
        ),
    ),
    "SESSION_LIMIT_PLAY_LEASE": (
        "session_limit.E030",
        Kind(
            "a duration between 10 seconds and an hour",
            lambda value: _is_duration(value) and _is_lease(value),
            "Players renew their plays three times within this time. " + _SECONDS,
        ),
    ),
    "SESSION_LIMIT_TOUCH_INTERVAL": ("session_limit.E008", _DURATION),
    "SESSION_LIMIT_IDLE_TIMEOUT": ("session_limit.E009", _optional(_DURATION)),
    "SESSION_LIMIT_ABSOLUTE_TIMEOUT": ("session_limit.E010", _optional(_DURATION)),
    "SESSION_LIMIT_STORE_ADDRESS": (
        "session_limit.E011",
        _one_of(
            ("none", "truncated", "full"), 'To store no address, use the string "none".'
        ),
    ),
    "SESSION_LIMIT_TRUSTED_PROXIES": (
        "session_limit.E012",
        Kind(
            "a whole number",
            is_whole_number,
            "Count your own proxies that a request passes through, or use 0.",
        ),
    ),
    "SESSION_LIMIT_DEVICE": (
        "session_limit.E016",
        _dotted_path(
            "callable", 'For example "session_limit.contrib.ua_parser.describe_device".'
        ),
    ),
    "SESSION_LIMIT_RETENTION": ("session_limit.E013", _DURATION),
    "SESSION_LIMIT_SECURE_ACCOUNT_URL": ("session_limit.E014", _optional(_ADDRESS)),
    "SESSION_LIMIT_SUPPORT_URL": ("session_limit.E017", _optional(_ADDRESS)),
    "SESSION_LIMIT_REAUTHENTICATION_AGE": ("session_limit.E018", _DURATION),
    "SESSION_LIMIT_NEW_SIGN_IN": (
        "session_limit.E019",
        _one_of(
            ("none", "message", "mail"),
            'To tell people nothing, use the string "none".',
        ),
    ),
}
