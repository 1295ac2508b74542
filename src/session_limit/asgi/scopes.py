"""Read cookies, sessions and paths from an ASGI scope as Django does."""

from __future__ import annotations

import io

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest

from session_limit import url_matching
from session_limit.asgi.types import Scope
from session_limit.store import identification


def with_one_cookie_header(scope: Scope) -> Scope:
    """
    Return ``scope`` with its ``Cookie`` headers joined into one.

    RFC 9113, section 8.2.3, requires this before an application sees the headers.
    Without it, Django, Channels and this package could each read a different session's
    cookie.
    """
    first, *more = _cookies(scope) or [b""]
    if not more:
        return scope
    others = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
    return {**scope, "headers": [*others, (b"cookie", b"; ".join([first, *more]))]}


def _cookies(scope: Scope) -> list[bytes]:
    return [value for name, value in scope["headers"] if name == b"cookie"]


def request_of(scope: Scope) -> ASGIRequest:
    """
    Return the request that opened a connection of any kind, without query and body.

    Neither says anything about the session, and a hostile one can make Django raise.
    """
    # Django raises for some hostile content types, and nothing here reads a body.
    omitted = {b"content-type", b"content-length"}
    headers = [each for each in scope["headers"] if each[0] not in omitted]
    bare = {**scope, "method": "GET", "query_string": b"", "headers": headers}
    return ASGIRequest(bare, io.BytesIO())


def cookies_of(scope: Scope) -> str:
    """Return the ``Cookie`` header, decoded as Django does."""
    return b"; ".join(_cookies(scope)).decode("latin1")


def session_key_of(scope: Scope) -> str | None:
    """Return the session key in the cookies, or ``None`` if none looks valid."""
    return identification.session_key_in_header(cookies_of(scope))


def identify_connection(scope: Scope) -> identification.Identity:
    """Identify the session of a connection. See ``identification.identify()``."""
    return identification.identify(request_of(scope))


def find_below(scope: Scope, name: str) -> str | None:
    """
    Return what follows the URL named ``name`` in the path. See
    ``url_matching.find_below()``. Removes the server's mount prefix first.
    """
    root_path = settings.FORCE_SCRIPT_NAME or scope.get("root_path", "")
    return url_matching.find_below(scope["path"].removeprefix(root_path), name)
