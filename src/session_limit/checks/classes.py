"""Helpers for checking settings that contain the dotted path of a class."""

from __future__ import annotations

from typing import Any

from django.utils.module_loading import import_string


def imported(path: Any) -> Any:
    try:
        return import_string(path) if isinstance(path, str) else None
    except ImportError:  # Django or check_settings() reports the path
        return None


def is_subclass(candidate: Any, base: type) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, base)
