"""
The code by which a person who is asked swaps one play for another. Signed, and of one
session and one play: that one ends once, so the code is used once.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core import signing

SALT = "session_limit.swap"

# Long enough to choose calmly.
LIFETIME = timedelta(minutes=10)


def code(session_id: UUID, play_id: UUID) -> str:
    """Return what the session with this id posts to end that play for its own."""
    return signing.dumps([session_id.hex, play_id.hex], salt=SALT)


def play_to_end(code: Any, session_id: UUID) -> UUID | None:
    """
    Return the id of the play that ``code`` ends for the session with this id; ``None``
    where it is not a code that this session was given, or too old.
    """
    if not isinstance(code, str):
        return None
    try:
        of, play_id = signing.loads(code, salt=SALT, max_age=LIFETIME)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return UUID(hex=play_id) if of == session_id.hex else None
