"""
Make and check codes that allow a client to end one playback and start another.

A client that may not start a playback gets a code for each playback that the client may
end instead. A code is signed for one session and one playback. A code works only once,
because a playback ends only once.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core import signing

SALT = "session_limit.swap"

# How long a person has to choose.
LIFETIME = timedelta(minutes=10)


def code(session_id: UUID, play_id: UUID) -> str:
    """Return a code that lets a session replace the given playback with another."""
    return signing.dumps([session_id.hex, play_id.hex], salt=SALT)


def play_to_end(code: Any, session_id: UUID) -> UUID | None:
    """
    Return the id of the playback that a posted ``code`` allows the session to end.

    Return ``None`` if ``code`` is invalid, was issued to another session, or is older
    than ``LIFETIME``.
    """
    if not isinstance(code, str):
        return None
    try:
        owner, play_id = signing.loads(code, salt=SALT, max_age=LIFETIME)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return UUID(hex=play_id) if owner == session_id.hex else None
