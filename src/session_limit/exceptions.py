"""Exceptions that ``login()`` raises for this package."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext as _


class TooLateToSignIn(RuntimeError):
    """
    ``login()`` was called after the response was prepared.

    The body of a ``StreamingHttpResponse`` runs after its headers have been sent, so
    the browser cannot get the session's cookie. ``login()`` raises this before the
    sign-in displaces another session.
    """

    def __init__(self, message: str | None = None) -> None:
        super().__init__(
            message
            or "login() was called after the response was prepared, for example in the "
            "body of a StreamingHttpResponse. The headers have been sent without the "
            "session's cookie, so the sign-in was refused. Call login() before the "
            "view returns."
        )


class SessionLimitReached(PermissionDenied):
    """
    A sign-in was refused because the account is at its limit.

    ``login()`` raises this after the sign-in was undone. If nothing catches it, the
    client gets a response with the status 403. It must not take more than two
    positional arguments, because Django REST framework calls
    ``PermissionDenied(*exc.args)``, which takes no more.
    """

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or _("The account is at its session limit."))
