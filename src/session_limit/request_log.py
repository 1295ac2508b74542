"""Keep refused sign-ins out of the log in which Django records failed requests."""

from __future__ import annotations

import logging

from django.http.response import HttpResponseBase

from session_limit.exceptions import SessionLimitReached


class _Unexpected(logging.Filter):
    """
    Passes every record but the one that Django writes of ``SessionLimitReached``.

    Django logs a ``PermissionDenied`` with its traceback. A refused sign-in is an
    expected outcome, and the audit log has it. The middleware cannot prevent the
    record: Django writes it wherever the exception arrives, be that in front of a view
    or of another middleware (``RemoteUserMiddleware``).
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return not (
            record.exc_info and isinstance(record.exc_info[1], SessionLimitReached)
        )


_unexpected = _Unexpected()


def connect() -> None:
    """Filter ``django.request``. Calling it again changes nothing."""
    logging.getLogger("django.request").addFilter(_unexpected)


def keep_out(response: HttpResponseBase) -> None:
    """Have Django log nothing of ``response``, whatever its status."""
    # What log_response() sets once it has logged a response, and asks for before.
    vars(response)["_has_been_logged"] = True
