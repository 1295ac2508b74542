"""Generate and parse the UUIDs that identify database rows."""

from __future__ import annotations

import secrets
import time
import uuid
from typing import Any


def uuid7() -> uuid.UUID:
    """Return a time-ordered UUID (RFC 9562, version 7), so that new rows sort last."""
    milliseconds = time.time_ns() // 1_000_000
    return uuid.UUID(
        int=milliseconds << 80
        | 0x7 << 76
        | secrets.randbits(12) << 64
        | 0b10 << 62
        | secrets.randbits(62)
    )


def parse_uuid(value: Any) -> uuid.UUID | None:
    """Return the string ``value`` as a UUID, or ``None`` if the string is not valid."""
    try:
        return uuid.UUID(value)
    except (AttributeError, TypeError, ValueError):
        return None
