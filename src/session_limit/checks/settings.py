"""The settings, each by itself."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core import checks
from django.utils.functional import Promise
from django.utils.module_loading import import_string

from session_limit.bus import Bus, get_bus
from session_limit.checks.classes import imported, is_subclass
from session_limit.conf import NewSignIn, conf
from session_limit.policy import AtLimit, Displace
from session_limit.rules import Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


@dataclass(frozen=True, slots=True)
class _Kind:
    """What the value of a setting has to be."""

    expected: str
    is_valid: Callable[[Any], bool]
    hint: str


def _is_whole_number(value: Any) -> bool:
    # True is a number to Python, and never to the person who wrote it here.
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_duration(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | timedelta):
        return False
    try:
        duration = value if isinstance(value, timedelta) else timedelta(seconds=value)
    except (OverflowError, ValueError):  # more than a timedelta holds, or NaN
        return False
    return duration > timedelta()


def _is_no_time(value: Any) -> bool:
    return not isinstance(value, bool) and value in (0, timedelta())


def _one_of(choices: Iterable[str], hint: str) -> _Kind:
    # A list, because an unhashable value is to be told, not to raise.
    valid = list(choices)
    expected = "one of " + ", ".join(f'"{choice}"' for choice in valid)
    return _Kind(expected, valid.__contains__, hint)


def _is_bus(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("BACKEND"), str)
        and isinstance(value.get("OPTIONS", {}), dict)
        and value.keys() <= {"BACKEND", "OPTIONS"}
    )


def _optional(kind: _Kind) -> _Kind:
    return _Kind(
        f"None or {kind.expected}",
        lambda value: value is None or kind.is_valid(value),
        kind.hint,
    )


_DURATION = _Kind(
    "a duration above zero",
    _is_duration,
    "Give seconds as a number, or a datetime.timedelta.",
)

_ADDRESS = _Kind(
    "an address",
    lambda value: isinstance(value, str | Promise),
    'Give a string such as "/account/secure/", or use reverse_lazy().',
)

# Every setting, with the id of what is said where its value is of another kind.
SETTINGS = {
    "SESSION_LIMIT": (
        "session_limit.E001",
        _optional(
            _Kind(
                "a whole number above zero",
                _is_whole_number,  # of zero there is more to say: E002
                "A value from the environment is a string: convert it with int().",
            )
        ),
    ),
    "SESSION_LIMIT_AT_LIMIT": (
        "session_limit.E003",
        _one_of(AtLimit, "It says what happens to a sign-in beyond the limit."),
    ),
    "SESSION_LIMIT_DISPLACE": (
        "session_limit.E004",
        _one_of(Displace, "It says which session makes room for a newer one."),
    ),
    "SESSION_LIMIT_RULES": (
        "session_limit.E005",
        _Kind(
            "the dotted path of a class, as a string",
            lambda value: isinstance(value, str),
            'For example "accounts.rules.PlanRules".',
        ),
    ),
    "SESSION_LIMIT_BUS": (
        "session_limit.E021",
        _Kind(
            "a dictionary with a BACKEND and, if need be, OPTIONS",
            _is_bus,
            'For example {"BACKEND": "session_limit.bus.redis.RedisBus", "OPTIONS": '
            '{"url": "redis://127.0.0.1:6379/0"}}.',
        ),
    ),
    "SESSION_LIMIT_PLAYS": (
        "session_limit.E025",
        _optional(
            _Kind(
                "a whole number above zero",
                lambda value: _is_whole_number(value) and value > 0,
                "None lets an account play as much as it likes. To use no plays, do "
                "not set it.",
            )
        ),
    ),
    "SESSION_LIMIT_PLAYS_AT_LIMIT": (
        "session_limit.E026",
        _one_of(AtLimit, "It says what happens to a play beyond the limit."),
    ),
    "SESSION_LIMIT_PLAY_COOLDOWN": (
        "session_limit.E027",
        _Kind(
            "a duration, or 0",
            lambda value: _is_no_time(value) or _is_duration(value),
            "Give seconds as a number, or a datetime.timedelta.",
        ),
    ),
    "SESSION_LIMIT_TOUCH_INTERVAL": ("session_limit.E008", _DURATION),
    "SESSION_LIMIT_IDLE_TIMEOUT": ("session_limit.E009", _optional(_DURATION)),
    "SESSION_LIMIT_ABSOLUTE_TIMEOUT": ("session_limit.E010", _optional(_DURATION)),
    "SESSION_LIMIT_STORE_ADDRESS": (
        "session_limit.E011",
        _one_of(
            ("none", "truncated", "full"),
            'To keep no address at all, give the string "none".',
        ),
    ),
    "SESSION_LIMIT_TRUSTED_PROXIES": (
        "session_limit.E012",
        _Kind(
            "a whole number",
            _is_whole_number,
            "Count the proxies of yours that a request passes through; 0 for none.",
        ),
    ),
    "SESSION_LIMIT_DEVICE": (
        "session_limit.E016",
        _Kind(
            "the dotted path of a callable, as a string",
            lambda value: isinstance(value, str),
            'For example "session_limit.contrib.ua_parser.describe_device".',
        ),
    ),
    "SESSION_LIMIT_RETENTION": ("session_limit.E013", _DURATION),
    "SESSION_LIMIT_SECURE_ACCOUNT_URL": ("session_limit.E014", _optional(_ADDRESS)),
    "SESSION_LIMIT_SUPPORT_URL": ("session_limit.E017", _optional(_ADDRESS)),
    "SESSION_LIMIT_REAUTHENTICATION_AGE": ("session_limit.E018", _DURATION),
    "SESSION_LIMIT_NEW_SIGN_IN": (
        "session_limit.E019",
        _one_of(NewSignIn, 'To tell nobody, give the string "none".'),
    ),
}


def check_settings(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Check the settings, each by itself."""
    for name, (id_, kind) in SETTINGS.items():
        if hasattr(settings, name) and not kind.is_valid(getattr(settings, name)):
            yield checks.Error(
                f"{name} must be {kind.expected}, not {getattr(settings, name)!r}.",
                hint=kind.hint,
                id=id_,
            )
    limit = getattr(settings, "SESSION_LIMIT", None)
    if _is_whole_number(limit) and limit == 0:
        yield checks.Error(
            "SESSION_LIMIT is 0: nobody could sign in.",
            hint="None is no limit. To keep somebody out, deactivate the account.",
            id="session_limit.E002",
        )
    path = getattr(settings, "SESSION_LIMIT_RULES", None)
    if isinstance(path, str):
        yield from _check_rules(path)
    path = getattr(settings, "SESSION_LIMIT_DEVICE", None)
    if isinstance(path, str):
        yield from _check_device(path)
    yield from _check_plays()
    bus = getattr(settings, "SESSION_LIMIT_BUS", None)
    if bus is not None and _is_bus(bus):
        yield from _check_bus(bus["BACKEND"])
    for name in dir(settings):
        if name.startswith("SESSION_LIMIT_") and name not in SETTINGS:
            yield checks.Warning(
                f"{name} is not a setting of session_limit: nothing reads it.",
                hint=f"Did you mean {_nearest(name)}?",
                id="session_limit.W015",
            )


def _check_rules(path: str) -> Iterator[checks.CheckMessage]:
    try:
        rules = import_string(path)
    except ImportError as error:
        yield checks.Error(
            f'SESSION_LIMIT_RULES "{path}" cannot be imported: {error}',
            hint="It is the dotted path of a subclass of session_limit.rules.Rules.",
            id="session_limit.E006",
        )
        return
    if not is_subclass(rules, Rules):
        yield checks.Error(
            f'SESSION_LIMIT_RULES "{path}" is not a subclass of Rules.',
            hint="Derive it from session_limit.rules.Rules.",
            id="session_limit.E007",
        )


def _check_plays() -> Iterator[checks.CheckMessage]:
    if conf.uses_plays():
        return
    path = getattr(settings, "SESSION_LIMIT_RULES", None)
    rules = imported(path) if isinstance(path, str) else None
    asked = ("play_limit", "play_at_limit", "play_scope")
    unread = [f"{path}.{name}()" for name in asked if _answers(rules, name)]
    settings_ = ("SESSION_LIMIT_PLAYS_AT_LIMIT", "SESSION_LIMIT_PLAY_COOLDOWN")
    unread += [name for name in settings_ if hasattr(settings, name)]
    for name in unread:
        yield checks.Warning(
            f"{name} is of no use without SESSION_LIMIT_PLAYS: no play is counted.",
            hint="Set SESSION_LIMIT_PLAYS: None lets the rules alone say how many.",
            id="session_limit.W028",
        )


def _answers(rules: Any, name: str) -> bool:
    """Whether ``rules`` give an answer of their own to this question."""
    if not is_subclass(rules, Rules):
        return False
    return getattr(rules, name) is not getattr(Rules, name)


def _check_device(path: str) -> Iterator[checks.CheckMessage]:
    try:
        problem = None if callable(import_string(path)) else "it is not callable"
    except ImportError as error:
        problem = str(error)
    if problem is not None:
        yield checks.Error(
            f'SESSION_LIMIT_DEVICE "{path}" cannot name a device: {problem}.',
            hint="It is the dotted path of a function that takes a request and returns "
            "a session_limit.client.Device.",
            id="session_limit.E020",
        )


def _check_bus(path: str) -> Iterator[checks.CheckMessage]:
    try:
        if not is_subclass(import_string(path), Bus):
            raise TypeError(f"{path} is not a subclass of Bus")  # noqa: TRY301
        bus = get_bus()
    except (ImportError, TypeError) as error:
        yield checks.Error(
            f"There is no bus as SESSION_LIMIT_BUS says: {error}.",
            hint="BACKEND is the dotted path of a subclass of session_limit.bus.Bus, "
            "and OPTIONS are what it takes. The extras redis and postgres bring what "
            "those two need.",
            id="session_limit.E022",
        )
        return
    yield from bus.check()


def _nearest(name: str) -> str:
    # They all begin alike: what comes after that tells them apart.
    def likeness(known: str) -> tuple[int, int]:
        matcher = difflib.SequenceMatcher(
            a=name.removeprefix("SESSION_LIMIT_"),
            b=known.removeprefix("SESSION_LIMIT_"),
        )
        alike = sum(block.size for block in matcher.get_matching_blocks())
        return alike, -len(known)

    return max(SETTINGS, key=likeness)
