"""Keep refused sign-ins out of the log in which Django records failed requests."""

from __future__ import annotations

import logging

from django.http.response import HttpResponseBase

from session_limit.exceptions import SessionLimitReached


class _Unexpected(logging.Filter):
    """
    Drop the record that Django writes for ``SessionLimitReached``, and pass all others.

    Django logs a ``PermissionDenied`` with its traceback. A refused sign-in is an
    expected outcome, and the audit log has it. The middleware cannot prevent the
    record, because Django writes it wherever the exception arrives: around a view, or
    around another middleware such as ``RemoteUserMiddleware``.
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
    """Keep Django from logging ``response``, whatever its status."""
    # log_response() sets this when it has logged a response, and skips it then.
    vars(response)["_has_been_logged"] = True
