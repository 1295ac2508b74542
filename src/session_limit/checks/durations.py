"""Check that the durations among the settings fit together."""

from __future__ import annotations

import functools
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core import checks

from session_limit.checks.setting_kinds import SETTINGS
from session_limit.conf import conf

if TYPE_CHECKING:
    from collections.abc import Iterator

SECOND = timedelta(seconds=1)

_COMPARED = (
    "SESSION_LIMIT_TOUCH_INTERVAL",
    "SESSION_LIMIT_IDLE_TIMEOUT",
    "SESSION_LIMIT_ABSOLUTE_TIMEOUT",
    "SESSION_LIMIT_RETENTION",
)


def check_durations(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Warn about durations that are valid, but too short or at odds with another."""
    for name in _COMPARED:
        _id, kind = SETTINGS[name]
        if hasattr(settings, name) and not kind.is_valid(getattr(settings, name)):
            return  # check_settings() reports it
    yield from _compare()


def _compare() -> Iterator[checks.CheckMessage]:
    warning = functools.partial(checks.Warning, id="session_limit.W029")
    touch, idle = conf.touch_interval, conf.idle_timeout
    absolute, retention = conf.absolute_timeout, conf.retention
    age = timedelta(seconds=settings.SESSION_COOKIE_AGE)
    if touch < SECOND:
        yield warning(
            "SESSION_LIMIT_TOUCH_INTERVAL is less than a second, so nearly every "
            "request writes to the database.",
            hint="Remove it. The default of a minute is enough to tell sessions apart.",
        )
    if idle is not None and idle < 10 * SECOND:
        yield warning(
            "SESSION_LIMIT_IDLE_TIMEOUT is less than ten seconds. Activity is recorded "
            "ten times within it, so nearly every request writes to the database.",
            hint="A plain number means seconds. For minutes, use a datetime.timedelta.",
        )
    is_set = hasattr(settings, "SESSION_LIMIT_TOUCH_INTERVAL")
    if is_set and idle is not None and touch > idle:
        yield warning(
            "SESSION_LIMIT_TOUCH_INTERVAL is longer than SESSION_LIMIT_IDLE_TIMEOUT. "
            "Activity is recorded ten times within the timeout instead.",
            hint="Remove SESSION_LIMIT_TOUCH_INTERVAL.",
        )
    if idle is not None and absolute is not None and absolute <= idle:
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
    if retention < age:
        yield warning(
            "SESSION_LIMIT_RETENTION is shorter than SESSION_COOKIE_AGE, so a browser "
            "that returns with the cookie of an ended session may not learn why.",
            hint="Make it at least as long as SESSION_COOKIE_AGE.",
        )
