"""A system check for the database that the project's routers name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core import checks
from django.db import connections

from session_limit.models import registry_alias


def check_routers(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Check that ``DATABASE_ROUTERS`` name a database for the package's tables."""
    try:
        alias = registry_alias()
        problem = None if alias in connections else f'name the database "{alias}"'
    except Exception as error:  # noqa: BLE001 a project's router may raise anything
        problem = f"fail ({type(error).__name__}: {error})"
    if problem is not None:
        yield checks.Error(
            f"DATABASE_ROUTERS {problem} for the model session_limit.UserSession, and "
            f"DATABASES defines {', '.join(connections)}. Every request that reads a "
            "session would fail.",
            hint="Let db_for_write() of your routers return an alias in DATABASES, or "
            "None.",
            id="session_limit.E316",
        )
