"""
Protect the form "Use here instead", for projects with automatic sign-in.

The form can replace any page, so it cannot rely on Django's CSRF cookie. Instead it has
a token, the signed id of the ended session. Only the browser with the cookie of that
session gets the token.
"""

from __future__ import annotations

from uuid import UUID

from django.core import signing
from django.http import HttpRequest

from session_limit.client import posted_data
from session_limit.pages import links

SALT = "session_limit.choice"


def token(id: UUID) -> str:
    """Return the form's token: the signed ``id`` of the ended session."""
    return signing.dumps(id.hex, salt=SALT)


def is_chosen(request: HttpRequest, id: UUID) -> bool:
    """
    Return whether ``request`` posts a valid form for the ended session ``id``.

    Raises ``BadRequest`` if the posted form cannot be decoded.
    """
    if request.method != "POST" or not links.is_to(
        request, links.url_of(links.ENDED_VIEW)
    ):
        return False
    token = posted_data.form(request).get("token", "")
    try:
        return bool(signing.loads(token, salt=SALT) == id.hex)
    except signing.BadSignature:
        return False
