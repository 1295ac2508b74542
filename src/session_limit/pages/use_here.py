"""
The form "Use here instead", for projects whose sign-ins happen automatically.

The form appears in place of any page, so it cannot rely on Django's CSRF cookie. It has
a token instead: the signed id of the ended session. Only the browser with the cookie of
that session gets it.
"""

from __future__ import annotations

from uuid import UUID

from django.core import signing
from django.http import HttpRequest

from session_limit.client import posted_data
from session_limit.pages import links

SALT = "session_limit.choice"


def token(id: UUID) -> str:
    """Return the token for the ended session with this id."""
    return signing.dumps(id.hex, salt=SALT)


def is_chosen(request: HttpRequest, id: UUID) -> bool:
    """
    Return whether ``request`` posts the form for the ended session with this id.

    Raises ``BadRequest`` for a malformed form.
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
