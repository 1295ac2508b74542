"""Helpers for checking settings that name a class or a database."""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from django.utils.module_loading import import_string

from session_limit.models import registry_alias
from session_limit.rules import Rules


def setting(name: str) -> Any:
    """Return one of Django's settings, whose value may be of any type."""
    return getattr(settings, name)


def imported(path: Any) -> Any:
    """Return what the dotted ``path`` names, or ``None`` if it cannot be imported."""
    try:
        return import_string(path) if isinstance(path, str) else None
    except Exception:  # noqa: BLE001 importing a project's module may raise anything
        return None  # Django or another check reports the path


def is_subclass(candidate: Any, base: type) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, base)


def rules_path() -> Any:
    """Return the setting ``SESSION_LIMIT_RULES``, which may be invalid."""
    return getattr(settings, "SESSION_LIMIT_RULES", f"{Rules.__module__}.Rules")


def rules_class() -> type[Rules]:
    """Return the project's class of rules, or ``Rules`` if the setting is invalid."""
    rules = imported(rules_path())
    return cast("type[Rules]", rules) if is_subclass(rules, Rules) else Rules


def alias_of_registry() -> str:
    """
    Return the alias of the database that holds the package's tables.

    ``DATABASES`` may lack the alias. Return ``""`` if ``DATABASE_ROUTERS`` fail.
    """
    try:
        return registry_alias()
    except Exception:  # noqa: BLE001 a project's router may raise anything
        return ""
