"""System checks for the application that an ASGI server runs, and for the bus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core import checks

from session_limit.asgi import SessionGuard
from session_limit.bus import get_bus
from session_limit.checks.classes import imported

# How many wrappers around SessionGuard to look through.
DEPTH = 8


def check_guard(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """
    Warn if the ASGI application is not wrapped in ``SessionGuard``.

    If the application is wrapped, warn if the bus does not reach other processes. The
    check does nothing if ``ASGI_APPLICATION`` is not set or cannot be imported.
    """
    path = getattr(settings, "ASGI_APPLICATION", None)
    application = imported(path)
    if application is None:
        return
    if not is_guarded(application):
        yield checks.Warning(
            f'ASGI_APPLICATION "{path}" is not wrapped in SessionGuard. WebSockets and '
            "streaming responses go on after their session has ended, and open pages "
            "learn of it only after up to ten seconds.",
            hint="In that module, write application = SessionGuard(application), with "
            "SessionGuard from session_limit.asgi.",
            id="session_limit.W413",
        )
    elif not _bus_crosses_processes():
        yield checks.Warning(
            "SESSION_LIMIT_BUS reaches only its own process. If several processes "
            "serve this project, open pages, WebSockets and streams in the others "
            "learn within a second, not at once, that a session has ended.",
            hint="Set SESSION_LIMIT_BUS to the bus of Redis or of PostgreSQL. If one "
            "process serves everything, silence this check.",
            id="session_limit.W414",
        )


def is_guarded(application: Any) -> bool:
    """Return whether ``application`` is a ``SessionGuard``, or wraps one."""
    layer, seen = [application], set[int]()
    for _ in range(DEPTH):
        if any(isinstance(each, SessionGuard) for each in layer):
            return True
        seen |= {id(each) for each in layer}
        layer = [
            inner for each in layer for inner in _inside(each) if id(inner) not in seen
        ]
    return False


def _inside(wrapper: Any) -> Iterator[Any]:
    """Yield the callable objects that ``wrapper`` holds."""
    held = [*getattr(wrapper, "__dict__", {}).values()]
    held += [cell.cell_contents for cell in getattr(wrapper, "__closure__", None) or ()]
    held += [getattr(wrapper, "func", None), getattr(wrapper, "__self__", None)]
    for each in held:
        if isinstance(each, dict):
            yield from (value for value in each.values() if callable(value))
        elif callable(each) and not isinstance(each, type):
            yield each


def _bus_crosses_processes() -> bool:
    try:
        return get_bus().crosses_processes
    except Exception:  # noqa: BLE001 check_settings() reports a bus that is wrong
        return True
