"""
The code that ends one play and starts another in its place.

A refused client gets one for each rival. It is signed for one session and one play. A
play ends only once, so a code works only once.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core import signing

SALT = "session_limit.swap"

# Gives a person time to choose.
LIFETIME = timedelta(minutes=10)


def code(session_id: UUID, play_id: UUID) -> str:
    """Return the code with which the session can end the play of a rival."""
    return signing.dumps([session_id.hex, play_id.hex], salt=SALT)


def play_to_end(code: Any, session_id: UUID) -> UUID | None:
    """
    Return the id of the play that a posted ``code`` ends.

    Return ``None`` if it is no code, was given to another session, or is too old.
    """
    if not isinstance(code, str):
        return None
    try:
        owner, play_id = signing.loads(code, salt=SALT, max_age=LIFETIME)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return UUID(hex=play_id) if owner == session_id.hex else None
