"""
Parse the addresses of Redis servers as redis-py does, without exposing passwords.

In ``redis://:12#34@host``, the ``#`` in the password ends the host part. redis-py would
connect to port 12, and an error message with the address would show the password.
redis-py 6 and 7 also quote the connection options in the error that no master was
found.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from redis import ConnectionPool
from redis.connection import parse_url
from redis.credentials import UsernamePasswordCredentialProvider


def options_of(
    url: str, parse: Callable[[str], dict[str, Any]] = parse_url
) -> dict[str, Any]:
    """
    Return redis-py's connection options for ``url``, without a plain-text password.

    A credential provider holds the password. ``parse`` is the function ``parse_url`` of
    redis-py or of its asyncio package. Raises ``ValueError`` if redis-py does not
    understand ``url``, or if a special character in ``url`` is not percent-encoded.
    """
    options = parse(url)
    parts = urlsplit(url)
    database = "" if "path" in options else parts.path.strip("/")
    if parts.fragment or not f"0{database}".isdecimal():
        raise ValueError("A special character in the URL is not percent-encoded.")
    if parts.query:
        parse_qsl(parts.query, strict_parsing=True)
    user, password = options.pop("username", None), options.pop("password", None)
    if user or password:
        provider = UsernamePasswordCredentialProvider(user, password)
        options["credential_provider"] = provider
    return options


def is_address(url: str) -> bool:
    """Return whether redis-py accepts ``url`` as an address, without connecting."""
    try:
        ConnectionPool(**options_of(url)).make_connection()
    except (AttributeError, TypeError, ValueError):
        return False
    return True


def place_of(url: str, form: str) -> str:
    """
    Return the Redis address ``url`` without credentials, for log messages.

    ``form`` is a format string with ``{host}``, ``{port}`` and ``{db}``. For a Unix
    socket, the result contains the path and the database instead.
    """
    try:
        options = {"host": "localhost", "port": 6379, "db": 0, **options_of(url)}
    except (AttributeError, ValueError):
        return "an address that is not one of Redis"
    if ":" in options["host"]:
        options["host"] = f"[{options['host']}]"
    return ("{path}?db={db}" if "path" in options else form).format(**options)
