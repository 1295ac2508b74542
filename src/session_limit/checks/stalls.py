"""Check that a stalled database connection cannot block a thread for ever."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core import checks
from django.db import connections, router

from session_limit.models import UserSession

# The driver options that bound each wait, and the id of the check.
_BOUNDS = {
    "postgresql": (
        ("connect_timeout", "keepalives_idle", "tcp_user_timeout"),
        "session_limit.W304",
    ),
    "mysql": (("connect_timeout", "read_timeout"), "session_limit.W305"),
}
# Options that name a file which may set those above. The check does not read it.
_ELSEWHERE = {"service", "read_default_file", "option_files"}


def check_stalls(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Warn if no driver option bounds the wait for a server that does not answer."""
    alias = router.db_for_write(UserSession)
    connection = connections[alias]
    settings = connection.settings_dict
    names, id = _BOUNDS.get(connection.vendor, ((), ""))
    options = settings["OPTIONS"]
    absent = [name for name in names if not options.get(name)]
    if absent and not _is_local(settings) and not _ELSEWHERE & options.keys():
        yield checks.Warning(
            f'If a firewall or a server drops a connection to the database "{alias}" '
            "silently, the thread that uses it blocks for minutes or for ever.",
            hint=f"Set {', '.join(absent)} in its OPTIONS. See "
            "docs/how-to/stalled-connections.md.",
            id=id,
        )


def _is_local(settings: dict[str, Any]) -> bool:
    """Return whether the connection uses a Unix socket, which no network can stall."""
    return str(settings["HOST"]).startswith("/") or not (
        settings["HOST"] or settings["OPTIONS"].get("host")
    )
