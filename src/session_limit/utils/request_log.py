"""Keep refused sign-ins out of Django's log of failed requests."""

from __future__ import annotations

import logging

from django.http.response import HttpResponseBase

from session_limit.exceptions import SessionLimitReached


class _Unexpected(logging.Filter):
    """
    A logging filter that drops Django's records of ``SessionLimitReached`` errors.

    Django logs every ``PermissionDenied`` with a traceback. A refused sign-in needs no
    such record, since it is an expected outcome and the audit log records it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        # The middleware cannot prevent the record, because Django writes it where the
        # exception arrives: around a view, or around a middleware such as
        # RemoteUserMiddleware.
        return not (
            record.exc_info and isinstance(record.exc_info[1], SessionLimitReached)
        )


_unexpected = _Unexpected()


def connect() -> None:
    """Add the filter for refused sign-ins to the ``django.request`` logger."""
    logging.getLogger("django.request").addFilter(_unexpected)


def keep_out(response: HttpResponseBase) -> None:
    """Prevent Django from logging ``response``, even if its status is an error."""
    # log_response() marks each response that it logs with this attribute, and skips
    # responses that have the mark.
    vars(response)["_has_been_logged"] = True
