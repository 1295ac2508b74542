"""System checks for the package's settings."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

from session_limit.bus import Bus, get_bus
from session_limit.checks.classes import imported, is_subclass
from session_limit.checks.setting_kinds import SETTINGS, is_bus, is_whole_number
from session_limit.conf import conf
from session_limit.rules import Rules

_COMPARED = (
    "SESSION_LIMIT_TOUCH_INTERVAL",
    "SESSION_LIMIT_IDLE_TIMEOUT",
    "SESSION_LIMIT_ABSOLUTE_TIMEOUT",
    "SESSION_LIMIT_RETENTION",
)


def check_settings(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Report ``SESSION_LIMIT`` settings that are invalid or have no effect."""
    for name, (id_, kind) in SETTINGS.items():
        if _is_invalid(name):
            yield checks.Error(
                f"{name} must be {kind.expected}, not {getattr(settings, name)!r}.",
                hint=kind.hint,
                id=id_,
            )
    if is_whole_number(conf.limit) and conf.limit == 0:
        yield checks.Error(
            "SESSION_LIMIT is 0, so nobody could sign in.",
            hint="None is no limit. To keep a person out, deactivate the account.",
            id="session_limit.E002",
        )
    if isinstance(conf.rules, str):
        yield from _check_rules(conf.rules)
    if isinstance(conf.device, str):
        yield from _check_device(conf.device)
    if not conf.uses_plays():
        yield from _check_plays()
    if is_bus(getattr(settings, "SESSION_LIMIT_BUS", {})):
        yield from _check_bus(conf.bus[0])
    for name in dir(settings):
        if name.startswith("SESSION_LIMIT_") and name not in SETTINGS:
            yield checks.Warning(
                f"{name} is not a setting of session_limit, and nothing reads it.",
                hint=f"Did you mean {_nearest(name)}?",
                id="session_limit.W015",
            )


def _is_invalid(name: str) -> bool:
    _id, kind = SETTINGS[name]
    return hasattr(settings, name) and not kind.is_valid(getattr(settings, name))


def _check_rules(path: str) -> Iterator[checks.CheckMessage]:
    try:
        rules = import_string(path)
    except ImportError as error:
        yield checks.Error(
            f'SESSION_LIMIT_RULES "{path}" cannot be imported: {error}',
            hint="Use the dotted path of a subclass of session_limit.rules.Rules.",
            id="session_limit.E006",
        )
        return
    if not is_subclass(rules, Rules):
        yield checks.Error(
            f'SESSION_LIMIT_RULES "{path}" is not a subclass of Rules.',
            hint="Make it a subclass of session_limit.rules.Rules.",
            id="session_limit.E007",
        )


def _check_plays() -> Iterator[checks.CheckMessage]:
    rules = imported(conf.rules)
    if not is_subclass(rules, Rules):
        rules = Rules  # _check_rules() reports it
    unused = [
        f"{conf.rules}.{name}()"
        for name in ("play_limit", "play_at_limit", "play_scope")
        if getattr(rules, name) is not getattr(Rules, name)
    ]
    names = ("SESSION_LIMIT_PLAYS_AT_LIMIT", "SESSION_LIMIT_PLAY_COOLDOWN")
    for name in [*unused, *(name for name in names if hasattr(settings, name))]:
        yield checks.Warning(
            f"{name} has no effect, because SESSION_LIMIT_PLAYS is not set.",
            hint="Set SESSION_LIMIT_PLAYS. With None, only the rules limit plays.",
            id="session_limit.W028",
        )


def _check_device(path: str) -> Iterator[checks.CheckMessage]:
    try:
        problem = None if callable(import_string(path)) else "it is not callable"
    except ImportError as error:
        problem = str(error)
    if problem is not None:
        yield checks.Error(
            f'SESSION_LIMIT_DEVICE "{path}" cannot name a device: {problem}.',
            hint="Use the dotted path of a function that takes a request and returns a "
            "session_limit.client.Device.",
            id="session_limit.E020",
        )


def _check_bus(path: str) -> Iterator[checks.CheckMessage]:
    try:
        if not is_subclass(import_string(path), Bus):
            raise TypeError(f"{path} is not a subclass of Bus")  # noqa: TRY301
        bus = get_bus()
    except (ImportError, TypeError) as error:
        yield checks.Error(
            f"The bus of SESSION_LIMIT_BUS cannot be created: {error}.",
            hint="BACKEND is the dotted path of a subclass of session_limit.bus.Bus, "
            "and OPTIONS are its keyword arguments. The extras redis and postgres "
            "install the drivers of those two.",
            id="session_limit.E022",
        )
        return
    yield from bus.check()


def _nearest(name: str) -> str:
    def likeness(known: str) -> tuple[int, int]:
        # The common prefix would make all names look alike.
        rest, other = (each.removeprefix("SESSION_LIMIT_") for each in (name, known))
        blocks = difflib.SequenceMatcher(None, rest, other).get_matching_blocks()
        return sum(block.size for block in blocks), -len(known)

    return max(SETTINGS, key=likeness)


def check_durations(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Warn if durations in the settings are too short or contradict each other."""
    if any(_is_invalid(name) for name in _COMPARED):
        return  # check_settings() reports it
    warning = functools.partial(checks.Warning, id="session_limit.W029")
    touch, idle = conf.touch_interval, conf.idle_timeout
    age = timedelta(seconds=settings.SESSION_COOKIE_AGE)
    if touch < timedelta(seconds=1):
        yield warning(
            "SESSION_LIMIT_TOUCH_INTERVAL is less than a second, so nearly every "
            "request writes to the database.",
            hint="Remove it. The default of a minute is enough to tell sessions apart.",
        )
    if idle and idle < timedelta(seconds=10):
        yield warning(
            "SESSION_LIMIT_IDLE_TIMEOUT is less than ten seconds. Activity is recorded "
            "ten times within it, so nearly every request writes to the database.",
            hint="A plain number means seconds. For minutes, use a datetime.timedelta.",
        )
    if idle and touch > idle and hasattr(settings, "SESSION_LIMIT_TOUCH_INTERVAL"):
        yield warning(
            "SESSION_LIMIT_TOUCH_INTERVAL is longer than SESSION_LIMIT_IDLE_TIMEOUT. "
            "Activity is recorded ten times within the timeout instead.",
            hint="Remove SESSION_LIMIT_TOUCH_INTERVAL.",
        )
    if idle and conf.absolute_timeout and conf.absolute_timeout <= idle:
        yield warning(
            "SESSION_LIMIT_ABSOLUTE_TIMEOUT is not longer than "
            "SESSION_LIMIT_IDLE_TIMEOUT, so no session is ever idle for too long.",
            hint="Remove SESSION_LIMIT_IDLE_TIMEOUT, or make it shorter.",
        )
    if touch >= age:
        yield warning(
            "SESSION_LIMIT_TOUCH_INTERVAL is not shorter than SESSION_COOKIE_AGE, so "
            "an expired session may keep its place for as long again.",
            hint="Remove SESSION_LIMIT_TOUCH_INTERVAL.",
        )
    if conf.retention < age:
        yield warning(
            "SESSION_LIMIT_RETENTION is shorter than SESSION_COOKIE_AGE, so a browser "
            "that returns with the cookie of an ended session may not learn why.",
            hint="Make it at least as long as SESSION_COOKIE_AGE.",
        )
