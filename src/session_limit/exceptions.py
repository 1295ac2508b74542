"""What the package raises."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext as _


class TooLateToSignIn(RuntimeError):
    """
    Something called ``login()`` after the response was prepared.

    The body of a ``StreamingHttpResponse`` runs then: its headers have been sent, so
    the browser cannot be given the cookie. ``login()`` raises this before the sign-in
    displaces another session.
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
    A sign-in was refused: the account is at its limit.

    Raised out of ``login()``, after the sign-in was undone. Where nothing catches
    it, the client gets a 403. At most two positional arguments: Django REST
    framework raises ``PermissionDenied(*exc.args)`` anew, which takes no more.
    """

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or _("The account is at its session limit."))
