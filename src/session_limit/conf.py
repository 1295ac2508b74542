"""
Provide typed access to the package's settings.

Each setting is read from Django's settings on every use, so ``override_settings`` works
without a reset. ``session_limit.checks`` reports invalid values.
"""

from __future__ import annotations

import enum
import functools
from datetime import timedelta
from typing import Any, cast

from django.conf import settings

from session_limit.policy import AtLimit, Displace


@functools.cache
def _seconds(value: float | timedelta) -> timedelta:
    return value if isinstance(value, timedelta) else timedelta(seconds=value)


def _optional_seconds(value: float | timedelta | None) -> timedelta | None:
    return None if value is None else _seconds(value)


MEMORY_BUS = "session_limit.bus.memory.MemoryBus"


class NewSignIn(enum.StrEnum):
    """The ways to tell a user about a sign-in from a browser that is new to them."""

    NONE = "none"
    MESSAGE = "message"
    MAIL = "mail"


class Settings:
    """Typed access to the package's settings. Durations are ``timedelta`` objects."""

    def _get(self, name: str, default: Any) -> Any:
        return getattr(settings, name, default)

    def uses_plays(self) -> bool:
        """Return whether ``SESSION_LIMIT_PLAYS`` is set, so that plays are recorded."""
        return hasattr(settings, "SESSION_LIMIT_PLAYS")

    @property
    def limit(self) -> int | None:
        """``SESSION_LIMIT`` is how many live sessions an account may have per scope."""
        return cast("int | None", self._get("SESSION_LIMIT", 1))

    @property
    def at_limit(self) -> AtLimit:
        """``SESSION_LIMIT_AT_LIMIT`` says how to treat a sign-in beyond the limit."""
        return AtLimit(self._get("SESSION_LIMIT_AT_LIMIT", AtLimit.DISPLACE))

    @property
    def displace(self) -> Displace:
        """``SESSION_LIMIT_DISPLACE`` says which sessions end for a newer one."""
        return Displace(self._get("SESSION_LIMIT_DISPLACE", Displace.LEAST_RECENT))

    @property
    def rules(self) -> str:
        """``SESSION_LIMIT_RULES`` is the import path of the project's ``Rules``."""
        return cast(
            "str", self._get("SESSION_LIMIT_RULES", "session_limit.rules.Rules")
        )

    @property
    def play_limit(self) -> int | None:
        """``SESSION_LIMIT_PLAYS`` is the maximum number of simultaneous plays."""
        return cast("int | None", self._get("SESSION_LIMIT_PLAYS", None))

    @property
    def play_at_limit(self) -> AtLimit:
        """``SESSION_LIMIT_PLAYS_AT_LIMIT`` says how to treat plays beyond the limit."""
        return AtLimit(self._get("SESSION_LIMIT_PLAYS_AT_LIMIT", AtLimit.DISPLACE))

    @property
    def play_cooldown(self) -> timedelta:
        """``SESSION_LIMIT_PLAY_COOLDOWN`` is the least time between displaced plays."""
        return _seconds(self._get("SESSION_LIMIT_PLAY_COOLDOWN", 0))

    @property
    def bus(self) -> tuple[str, dict[str, Any]]:
        """``SESSION_LIMIT_BUS`` gives the message bus's class path and its options."""
        setting = self._get("SESSION_LIMIT_BUS", {})
        return setting.get("BACKEND", MEMORY_BUS), setting.get("OPTIONS", {})

    @property
    def touch_interval(self) -> timedelta:
        """``SESSION_LIMIT_TOUCH_INTERVAL`` says how often activity is recorded."""
        return _seconds(self._get("SESSION_LIMIT_TOUCH_INTERVAL", 60))

    @property
    def idle_timeout(self) -> timedelta | None:
        """``SESSION_LIMIT_IDLE_TIMEOUT`` is the longest inactivity, or ``None``."""
        return _optional_seconds(self._get("SESSION_LIMIT_IDLE_TIMEOUT", None))

    @property
    def absolute_timeout(self) -> timedelta | None:
        """``SESSION_LIMIT_ABSOLUTE_TIMEOUT`` is a session's maximum age or ``None``."""
        return _optional_seconds(self._get("SESSION_LIMIT_ABSOLUTE_TIMEOUT", None))

    @property
    def store_address(self) -> str:
        """``SESSION_LIMIT_STORE_ADDRESS`` is ``none``, ``truncated`` or ``full``."""
        return cast("str", self._get("SESSION_LIMIT_STORE_ADDRESS", "truncated"))

    @property
    def trusted_proxies(self) -> int:
        """``SESSION_LIMIT_TRUSTED_PROXIES`` says how many proxies the project runs."""
        return cast("int", self._get("SESSION_LIMIT_TRUSTED_PROXIES", 0))

    @property
    def device(self) -> str:
        """``SESSION_LIMIT_DEVICE`` is the path of the function that names devices."""
        default = "session_limit.client.describe_device"
        return cast("str", self._get("SESSION_LIMIT_DEVICE", default))

    @property
    def retention(self) -> timedelta:
        """``SESSION_LIMIT_RETENTION`` says how long rows of ended sessions are kept."""
        return _seconds(self._get("SESSION_LIMIT_RETENTION", timedelta(days=30)))

    @property
    def secure_account_url(self) -> str | None:
        """``SESSION_LIMIT_SECURE_ACCOUNT_URL`` is the target of "Not you?" links."""
        return cast("str | None", self._get("SESSION_LIMIT_SECURE_ACCOUNT_URL", None))

    @property
    def support_url(self) -> str | None:
        """``SESSION_LIMIT_SUPPORT_URL`` is the target of "Contact support" links."""
        return cast("str | None", self._get("SESSION_LIMIT_SUPPORT_URL", None))

    @property
    def reauthentication_age(self) -> timedelta:
        """``SESSION_LIMIT_REAUTHENTICATION_AGE`` is how long a sign-in stays recent."""
        return _seconds(
            self._get("SESSION_LIMIT_REAUTHENTICATION_AGE", timedelta(minutes=15))
        )

    @property
    def new_sign_in(self) -> NewSignIn:
        """``SESSION_LIMIT_NEW_SIGN_IN`` says how to tell a user about a new browser."""
        return NewSignIn(self._get("SESSION_LIMIT_NEW_SIGN_IN", NewSignIn.MESSAGE))


conf = Settings()
