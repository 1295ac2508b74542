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
        problem = f'choose the database "{alias}"' if alias not in connections else None
    except Exception as error:  # noqa: BLE001 a project's router may raise anything
        problem = f"raise an error ({type(error).__name__}: {error})"
    if problem is not None:
        known = ", ".join(f'"{each}"' for each in connections)
        yield checks.Error(
            f"For the model session_limit.UserSession, DATABASE_ROUTERS {problem}. "
            f"DATABASES defines only {known}. Every request that reads a session would "
            "fail.",
            hint="List routers that can be imported, and let their db_for_write() "
            "return an alias in DATABASES, or None.",
            id="session_limit.E316",
        )
