"""
Protect the form "Use here instead" against cross-site requests.

Projects with automatic sign-in show this form after a session has ended. The form can
replace any page, so this package cannot rely on Django's CSRF cookie. Instead, the form
contains a token, which is the signed id of the ended session. Only the browser with the
cookie of that session gets the token.
"""

from __future__ import annotations

from uuid import UUID

from django.core import signing
from django.http import HttpRequest

from session_limit.client import posted_data
from session_limit.pages import links

SALT = "session_limit.choice"


def token(id: UUID) -> str:
    """Return the signed session ``id`` as a token for the form "Use here instead"."""
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
