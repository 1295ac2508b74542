"""What there is to know of a contender before Django is set up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Settings = dict[str, Any]

ENGINES = {
    name: f"django.contrib.sessions.backends.{name}"
    for name in ("db", "cached_db", "cache", "file", "signed_cookies")
}

DJANGO_SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
DJANGO_AUTH = "django.contrib.auth.middleware.AuthenticationMiddleware"


def nothing_more(request: Any) -> None:
    """What a project does after ``login()`` whose package needs nothing of it."""


def leave(settings: Settings) -> None:
    """What a project changes in its settings that has no package."""


def below(listed: list[str], known: str, added: str) -> None:
    """Put ``added`` into ``listed`` directly below ``known``."""
    listed.insert(listed.index(known) + 1, added)


def replace(listed: list[str], known: str, other: str) -> None:
    """Put ``other`` into the place of ``known`` in ``listed``."""
    listed[listed.index(known)] = other


@dataclass(frozen=True, slots=True)
class Contender:
    """
    A way to set the same project up. ``configure`` changes the settings of a stock
    project as the contender's documentation says; it is called after
    ``SESSION_ENGINE`` was set to one of ``engines``.

    ``after_sign_in`` is what a project that wants one session per account has to do
    right after ``login()``, again as documented. A contender that ``limits`` by
    itself needs nothing there.
    """

    name: str
    # As it is written in a requirements file; empty where nothing is installed.
    requirement: str
    # The page that says how it is set up and used; empty where that is here.
    documentation: str
    # Whose requirements/*.txt it runs with.
    environment: str
    # What a reader should know of how it is set up here.
    note: str = ""
    engines: tuple[str, ...] = tuple(ENGINES)
    limits: bool = True
    # How many live sessions it lets an account have, where it limits.
    limit: int = 1
    configure: Callable[[Settings], None] = leave
    after_sign_in: Callable[[Any], None] = nothing_more
    urls: tuple[tuple[str, str], ...] = ()
