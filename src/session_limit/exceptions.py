"""Define the exceptions that ``login()`` raises when this package refuses a sign-in."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext as _


class TooLateToSignIn(RuntimeError):
    """
    The error raised when ``login()`` is called after the response was prepared.

    For example, the body of a ``StreamingHttpResponse`` runs after the headers have
    been sent. The browser can then no longer receive the session cookie, so the sign-in
    is refused. The refused sign-in ends no other session.
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
    The error raised when a sign-in is refused because the account is at its limit.

    ``login()`` undoes the sign-in before it raises this error. If no code catches the
    error, the client gets a response with the status 403.
    """

    # Django REST framework calls its own PermissionDenied(*exc.args), which accepts no
    # more than two positional arguments.
    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or _("The account is at its session limit."))
