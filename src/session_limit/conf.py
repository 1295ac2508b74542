"""
Provide typed access to the package's settings.

Each setting is read from Django's settings on every use, so ``override_settings`` works
without a reset. ``session_limit.checks`` reports invalid values. An ASGI or WSGI server
runs no checks, so reading an invalid value raises ``ImproperlyConfigured``.
"""

from __future__ import annotations

import enum
import functools
from datetime import timedelta
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from session_limit.policy import AtLimit, Displace
from session_limit.setting_kinds import SETTINGS


@functools.cache
def _seconds(value: float | timedelta) -> timedelta:
    return value if isinstance(value, timedelta) else timedelta(seconds=value)


def _optional_seconds(value: float | timedelta | None) -> timedelta | None:
    return None if value is None else _seconds(value)


_UNSET = object()

MEMORY_BUS = "session_limit.bus.memory.MemoryBus"

# The class of the project's rules, if the project names none.
DEFAULT_RULES = "session_limit.rules.Rules"


class NewSignIn(enum.StrEnum):
    """The ways of notifying a user about a sign-in from a new browser."""

    NONE = "none"
    MESSAGE = "message"
    MAIL = "mail"


class Settings:
    """
    The package's settings, as typed values. Durations are ``timedelta`` objects.

    Each property raises ``ImproperlyConfigured`` if the value of its setting is
    invalid.
    """

    def _get(self, name: str, default: Any) -> Any:
        value = getattr(settings, name, _UNSET)
        if value is _UNSET:
            return default
        _, kind = SETTINGS[name]
        if not kind.works(value):
            raise ImproperlyConfigured(f"{kind.problem(name, value)} {kind.hint}")
        return value

    def uses_plays(self) -> bool:
        """Return whether the project sets ``SESSION_LIMIT_PLAYS``, even to ``None``."""
        return hasattr(settings, "SESSION_LIMIT_PLAYS")

    @property
    def limit(self) -> int | None:
        """
        Return the maximum number of live sessions per scope (``SESSION_LIMIT``).

        A scope is a group of sessions of one account that are counted together.
        """
        return cast("int | None", self._get("SESSION_LIMIT", 1))

    @property
    def at_limit(self) -> AtLimit:
        """Return ``SESSION_LIMIT_AT_LIMIT``, the policy for excess sign-ins."""
        return AtLimit(self._get("SESSION_LIMIT_AT_LIMIT", AtLimit.DISPLACE))

    @property
    def displace(self) -> Displace:
        """Return which sessions a sign-in displaces (``SESSION_LIMIT_DISPLACE``)."""
        return Displace(self._get("SESSION_LIMIT_DISPLACE", Displace.LEAST_RECENT))

    @property
    def rules(self) -> str:
        """Return the import path of the ``Rules`` class (``SESSION_LIMIT_RULES``)."""
        return cast("str", self._get("SESSION_LIMIT_RULES", DEFAULT_RULES))

    @property
    def play_limit(self) -> int | None:
        """Return the maximum number of simultaneous plays (``SESSION_LIMIT_PLAYS``)."""
        return cast("int | None", self._get("SESSION_LIMIT_PLAYS", None))

    @property
    def play_at_limit(self) -> AtLimit:
        """Return how ``SESSION_LIMIT_PLAYS_AT_LIMIT`` treats plays beyond the limit."""
        return AtLimit(self._get("SESSION_LIMIT_PLAYS_AT_LIMIT", AtLimit.DISPLACE))

    @property
    def play_cooldown(self) -> timedelta:
        """Return ``SESSION_LIMIT_PLAY_COOLDOWN``, the time between displacements."""
        return _seconds(self._get("SESSION_LIMIT_PLAY_COOLDOWN", 0))

    @property
    def play_lease(self) -> timedelta:
        """Return how long a renewal of a play lasts (``SESSION_LIMIT_PLAY_LEASE``)."""
        return _seconds(self._get("SESSION_LIMIT_PLAY_LEASE", 30))

    @property
    def bus(self) -> tuple[str, dict[str, Any]]:
        """Return the message bus's import path and options (``SESSION_LIMIT_BUS``)."""
        setting = self._get("SESSION_LIMIT_BUS", {})
        return setting.get("BACKEND", MEMORY_BUS), setting.get("OPTIONS", {})

    @property
    def touch_interval(self) -> timedelta:
        """Return how often activity is recorded (``SESSION_LIMIT_TOUCH_INTERVAL``)."""
        return _seconds(self._get("SESSION_LIMIT_TOUCH_INTERVAL", 60))

    @property
    def idle_timeout(self) -> timedelta | None:
        """Return how long a session may be idle (``SESSION_LIMIT_IDLE_TIMEOUT``)."""
        return _optional_seconds(self._get("SESSION_LIMIT_IDLE_TIMEOUT", None))

    @property
    def absolute_timeout(self) -> timedelta | None:
        """Return the maximum age of a session (``SESSION_LIMIT_ABSOLUTE_TIMEOUT``)."""
        return _optional_seconds(self._get("SESSION_LIMIT_ABSOLUTE_TIMEOUT", None))

    @property
    def join_user(self) -> bool:
        """Return whether to read users with sessions (``SESSION_LIMIT_JOIN_USER``)."""
        return cast("bool", self._get("SESSION_LIMIT_JOIN_USER", default=True))

    @property
    def store_address(self) -> str:
        """
        Return ``"none"``, ``"truncated"`` or ``"full"``, the form in which to store
        client addresses (``SESSION_LIMIT_STORE_ADDRESS``).
        """
        return cast("str", self._get("SESSION_LIMIT_STORE_ADDRESS", "truncated"))

    @property
    def trusted_proxies(self) -> int:
        """Return the number of trusted proxies (``SESSION_LIMIT_TRUSTED_PROXIES``)."""
        return cast("int", self._get("SESSION_LIMIT_TRUSTED_PROXIES", 0))

    @property
    def device(self) -> str:
        """Return the path of the device-naming function (``SESSION_LIMIT_DEVICE``)."""
        default = "session_limit.client.describe_device"
        return cast("str", self._get("SESSION_LIMIT_DEVICE", default))

    @property
    def retention(self) -> timedelta:
        """Return how long ended sessions are kept (``SESSION_LIMIT_RETENTION``)."""
        return _seconds(self._get("SESSION_LIMIT_RETENTION", timedelta(days=30)))

    @property
    def secure_account_url(self) -> str | None:
        """Return the URL of "Not you?" links (``SESSION_LIMIT_SECURE_ACCOUNT_URL``)."""
        return cast("str | None", self._get("SESSION_LIMIT_SECURE_ACCOUNT_URL", None))

    @property
    def support_url(self) -> str | None:
        """Return the URL of "Contact support" links (``SESSION_LIMIT_SUPPORT_URL``)."""
        return cast("str | None", self._get("SESSION_LIMIT_SUPPORT_URL", None))

    @property
    def reauthentication_age(self) -> timedelta:
        """
        Return how long after a sign-in the user need not re-authenticate
        (``SESSION_LIMIT_REAUTHENTICATION_AGE``).
        """
        return _seconds(
            self._get("SESSION_LIMIT_REAUTHENTICATION_AGE", timedelta(minutes=15))
        )

    @property
    def new_sign_in(self) -> NewSignIn:
        """Return how ``SESSION_LIMIT_NEW_SIGN_IN`` reports sign-ins to their users."""
        return NewSignIn(self._get("SESSION_LIMIT_NEW_SIGN_IN", NewSignIn.MESSAGE))


conf = Settings()
