"""
Protect the form "Use here instead" of projects with automatic sign-in.

The form can replace any page, so it cannot rely on Django's CSRF cookie. Instead, the
form contains a token, which is the signed id of the ended session. Only the browser
with the cookie of that session gets the token.
"""

from __future__ import annotations

from uuid import UUID

from django.core import signing
from django.http import HttpRequest

from session_limit.client import posted_data
from session_limit.pages import links

SALT = "session_limit.choice"


def token(id: UUID) -> str:
    """Return the form's token, which is the signed ``id`` of the ended session."""
    return signing.dumps(id.hex, salt=SALT)


def is_chosen(request: HttpRequest, id: UUID) -> bool:
    """
    Return whether ``request`` posts a valid form "Use here instead".

    ``id`` identifies the ended session. Raises ``BadRequest`` for a malformed form.
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
