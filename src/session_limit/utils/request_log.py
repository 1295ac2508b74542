"""Keep refused sign-ins out of the log in which Django records failed requests."""

from __future__ import annotations

import logging

from django.http.response import HttpResponseBase

from session_limit.exceptions import SessionLimitReached


class _Unexpected(logging.Filter):
    """
    A logging filter that drops Django's records of ``SessionLimitReached``.

    Django logs every ``PermissionDenied`` with its traceback. A refused sign-in is an
    expected outcome, which the audit log records. The middleware cannot prevent
    Django's record, because Django writes it wherever the exception arrives: around a
    view, or around another middleware such as ``RemoteUserMiddleware``.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return not (
            record.exc_info and isinstance(record.exc_info[1], SessionLimitReached)
        )


_unexpected = _Unexpected()


def connect() -> None:
    """Add the filter to the ``django.request`` logger, unless it is there already."""
    logging.getLogger("django.request").addFilter(_unexpected)


def keep_out(response: HttpResponseBase) -> None:
    """Prevent Django from logging ``response``, whatever its status."""
    # log_response() marks each response that it logs with this attribute, and skips
    # responses that have the mark.
    vars(response)["_has_been_logged"] = True
