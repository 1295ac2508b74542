"""System checks for the package's settings."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.conf import global_settings, settings
from django.core import checks
from django.utils.module_loading import import_string

from session_limit.bus import Bus, get_bus
from session_limit.checks.classes import is_subclass, setting
from session_limit.conf import conf
from session_limit.setting_kinds import SETTINGS, is_whole_number

# In seconds. A longer time makes no difference to the comparisons.
_LONGEST = 10**10
_COMPARED = (
    "SESSION_LIMIT_TOUCH_INTERVAL",
    "SESSION_LIMIT_IDLE_TIMEOUT",
    "SESSION_LIMIT_ABSOLUTE_TIMEOUT",
    "SESSION_LIMIT_RETENTION",
)


def check_settings(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Report ``SESSION_LIMIT`` settings that are invalid or have no effect."""
    for name, (id_, kind) in SETTINGS.items():
        if not _is_invalid(name):
            continue
        if name == "SESSION_LIMIT" and is_whole_number(setting(name)):
            yield checks.Error(
                "SESSION_LIMIT is 0, so nobody could sign in.",
                hint="None is no limit. To keep a person out, deactivate the account.",
                id="session_limit.E002",
            )
            continue
        yield checks.Error(
            kind.problem(name, getattr(settings, name)), hint=kind.hint, id=id_
        )
    if not _is_invalid("SESSION_LIMIT_DEVICE"):
        yield from _check_device(conf.device)
    if not _is_invalid("SESSION_LIMIT_BUS"):
        yield from _check_bus(conf.bus[0])


def check_names(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Warn about settings whose names look like settings of this package."""
    for name in dir(settings):
        if not name.isupper() or name in SETTINGS or hasattr(global_settings, name):
            continue
        if name.startswith("SESSION_LIMIT_"):
            yield checks.Warning(
                f"{name} is not a setting of session_limit, and nothing reads it.",
                hint=f"Did you mean {_nearest(name)}?",
                id="session_limit.W015",
            )
        elif (meant := _resembled(name)) is not None:
            yield checks.Warning(
                f"{name} resembles {meant}, but is not a setting of session_limit.",
                hint=f"Did you mean {meant}? If another app reads {name}, silence this "
                "check.",
                id="session_limit.W035",
            )


def _is_invalid(name: str) -> bool:
    _id, kind = SETTINGS[name]
    return hasattr(settings, name) and not kind.is_valid(getattr(settings, name))


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


def _resembled(name: str) -> str | None:
    """Return the setting of this package that ``name`` misspells, or ``None``."""
    for known in SETTINGS:
        # Two letters that have changed places count as two changes for difflib.
        if sorted(name) == sorted(known):
            return known
    found = difflib.get_close_matches(name, SETTINGS, n=1, cutoff=0.93)
    return found[0] if found else None


def check_durations(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Warn if durations in the settings are too short or contradict each other."""
    seconds = setting("SESSION_COOKIE_AGE")
    if any(_is_invalid(name) for name in _COMPARED) or not is_whole_number(seconds):
        return  # check_settings() reports it, or Django fails
    warning = functools.partial(checks.Warning, id="session_limit.W029")
    touch, idle = conf.touch_interval, conf.idle_timeout
    age = timedelta(seconds=min(seconds, _LONGEST))
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
