"""Read cookies, session keys and paths from an ASGI scope as Django does."""

from __future__ import annotations

import io
from collections.abc import Hashable
from uuid import UUID

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest

from session_limit import url_matching
from session_limit.asgi.types import Scope
from session_limit.store import identification, tenants


def with_one_cookie_header(scope: Scope) -> Scope:
    """
    Return the ASGI ``scope`` with its ``Cookie`` headers joined into one header.

    RFC 9113, section 8.2.3, requires this before an application sees the headers.
    Otherwise Django, Channels and this package could each read a different session
    cookie.
    """
    first, *more = _cookies(scope) or [b""]
    if not more:
        return scope
    others = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
    return {**scope, "headers": [*others, (b"cookie", b"; ".join([first, *more]))]}


def _cookies(scope: Scope) -> list[bytes]:
    return [value for name, value in scope["headers"] if name == b"cookie"]


def request_of(scope: Scope, method: str = "GET") -> ASGIRequest:
    """
    Return a Django request with the path and the headers of a connection.

    ``scope`` may describe a WebSocket. The query and the body are left out: neither
    identifies a session, and Django may raise an error if either is malformed.
    """
    # Django rejects some malformed content types, and nothing here reads a body.
    omitted = {b"content-type", b"content-length"}
    headers = [each for each in scope["headers"] if each[0] not in omitted]
    bare = {**scope, "method": method, "query_string": b"", "headers": headers}
    return ASGIRequest(bare, io.BytesIO())


def cookies_of(scope: Scope) -> str:
    """Return a connection's ``Cookie`` header as a string, decoded as Django does."""
    return b"; ".join(_cookies(scope)).decode("latin1")


def session_key_of(scope: Scope) -> str | None:
    """Return the connection's session key, or ``None`` if it is absent or malformed."""
    return identification.session_key_in_header(cookies_of(scope))


def identify_connection(scope: Scope) -> identification.Identity:
    """
    Return the id of a connection's session, and the reason if that session ended.

    Reads the session store and the database. See ``identification.identify()``.
    """
    return identification.identify(request_of(scope))


def tenant_of(scope: Scope) -> Hashable | None:
    """
    Return the tenant of a connection's request, or ``None`` if it has none.

    Reads the database if the project has tenants. See ``Rules.tenant()``.
    """
    return tenants.tenant_of(request_of(scope))


def find_below(scope: Scope, name: str) -> str | None:
    """
    Return the part of the request's path that follows the package's URL ``name``.

    Return ``None`` if the path does not begin with that URL. The prefix under which the
    server mounts the application is ignored.
    """
    return url_matching.find_below(_path_info(scope), name)


def find_play(scope: Scope) -> UUID | None:
    """Return the id of the play that the request is to renew, or ``None`` if none."""
    return url_matching.find_play(_path_info(scope))


def _path_info(scope: Scope) -> str:
    root_path: str = settings.FORCE_SCRIPT_NAME or scope.get("root_path", "")
    path: str = scope["path"]
    return path.removeprefix(root_path)
