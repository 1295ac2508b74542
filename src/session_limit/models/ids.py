"""Generate and parse the UUIDs that identify database rows."""

from __future__ import annotations

import secrets
import time
import uuid
from datetime import UTC, datetime
from typing import Any

# The version of UUIDs that begin with the time (RFC 9562).
VERSION = 7


def uuid7() -> uuid.UUID:
    """Return a time-ordered UUID (RFC 9562, version 7), so that new rows sort last."""
    milliseconds = time.time_ns() // 1_000_000
    return uuid.UUID(
        int=milliseconds << 80
        | VERSION << 76
        | secrets.randbits(12) << 64
        | 0b10 << 62
        | secrets.randbits(62)
    )


def made_at(id: uuid.UUID) -> datetime | None:
    """Return when ``uuid7()`` made an ``id``, or ``None`` for another kind of UUID."""
    if id.version != VERSION:
        return None
    return datetime.fromtimestamp((id.int >> 80) / 1000, tz=UTC)


def parse_uuid(value: Any) -> uuid.UUID | None:
    """Return the string ``value`` as a UUID, or ``None`` if the string is not valid."""
    try:
        return uuid.UUID(value)
    except (AttributeError, TypeError, ValueError):
        return None
