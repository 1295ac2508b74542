"""How a bus that carries text writes ids: in hexadecimal, with commas between them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from uuid import UUID

logger = logging.getLogger("session_limit")

# In one message: PostgreSQL takes less than 8,000 bytes.
MOST = 200


def encode(ids: Sequence[UUID]) -> Iterator[str]:
    """Yield the messages that carry ``ids``."""
    for start in range(0, len(ids), MOST):
        yield ",".join(id.hex for id in ids[start : start + MOST])


def decode(message: str | bytes) -> list[UUID]:
    """Return the ids that a message carries: none, where others wrote it."""
    try:
        text = message.decode() if isinstance(message, bytes) else message
        return [UUID(hex=part) for part in text.split(",")]
    except ValueError:
        logger.debug("The bus carried a message that is not ours.")
        return []
