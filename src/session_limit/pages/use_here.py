"""
"Use here instead", where signing in happens by itself: a person's click, posted.

The form stands on pages that no view has rendered, so it brings a token of its own: the
signed id of the ended session, which only the holder of its cookie is shown.
"""

from __future__ import annotations

from uuid import UUID

from django.core import signing
from django.http import HttpRequest

from session_limit.client import posted_data
from session_limit.pages import links

SALT = "session_limit.choice"


def token(id: UUID) -> str:
    """Return what the form posts for the ended session with this id."""
    return signing.dumps(id.hex, salt=SALT)


def is_chosen(request: HttpRequest, id: UUID) -> bool:
    """
    Return whether ``request`` is that click, for the ended session with this id. Raises
    ``BadRequest``.
    """
    if request.method != "POST" or not links.is_to(request, links.ended_url()):
        return False
    token = posted_data.form(request).get("token", "")
    try:
        return bool(signing.loads(token, salt=SALT) == id.hex)
    except signing.BadSignature:
        return False
