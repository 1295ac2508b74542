"""The header that says in every response that the session of the request has ended."""

from __future__ import annotations

from django.http.response import HttpResponseBase

NAME = "Session-Limit"


def add(response: HttpResponseBase, reason: str | None) -> None:
    """
    Add the header ``Session-Limit: ended`` with the ``reason`` to ``response``.

    The value is an item with a parameter (RFC 9651). ``reason`` is an ``EndReason``, or
    ``None`` if the reason is not known.
    """
    response.headers[NAME] = f"ended; reason={reason}" if reason else "ended"
