"""Encode session ids as messages of hexadecimal numbers, joined by commas."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from uuid import UUID

logger = logging.getLogger("session_limit")

# How many ids one message carries. PostgreSQL's NOTIFY takes less than 8,000 bytes.
MAX_IDS = 200


def encode(ids: Sequence[UUID]) -> Iterator[str]:
    """Yield messages that contain the session ``ids``, at most ``MAX_IDS`` each."""
    for start in range(0, len(ids), MAX_IDS):
        yield ",".join(id.hex for id in ids[start : start + MAX_IDS])


def decode(message: str | bytes) -> list[UUID]:
    """Return the session ids in a message, or ``[]`` if its format is unknown."""
    try:
        text = message.decode() if isinstance(message, bytes) else message
        return [UUID(hex=part) for part in text.split(",")]
    except ValueError:
        logger.debug("The bus carried a message of another sender.")
        return []
