"""What a dotted path in the settings names."""

from __future__ import annotations

from typing import Any

from django.utils.module_loading import import_string


def imported(path: str) -> Any:
    try:
        return import_string(path)
    except ImportError:  # Django names it when it loads its middleware
        return None


def is_subclass(candidate: Any, base: type) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, base)
