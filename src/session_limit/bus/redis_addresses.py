"""
The addresses of Redis servers, read as redis-py reads them, but kept secret.

In ``redis://:12#34@host`` the ``#`` of the password ends the address. redis-py would
connect to port 12, and a message that shows the address would show the password. And
redis-py 6 and 7 put the options of a connection into the error that no master was
found.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from redis import ConnectionPool
from redis.connection import parse_url
from redis.credentials import UsernamePasswordCredentialProvider

Parser = Callable[[str], dict[str, Any]]

DEFAULTS: dict[str, Any] = {"host": "localhost", "port": 6379, "db": 0}


def options_of(url: str, parse: Parser = parse_url) -> dict[str, Any]:
    """
    Return redis-py's options for an address, in which no text is a password. ``parse``
    is redis-py's function for sync connections, or the one for asyncio. Raises
    ``ValueError`` if it is not an address of Redis.
    """
    options = parse(url)
    parts = urlsplit(url)
    database = "" if "path" in options else parts.path.strip("/")
    if parts.fragment or not f"0{database}".isdecimal():
        raise ValueError("A character that is special in a URL is not quoted.")
    if parts.query:
        parse_qsl(parts.query, strict_parsing=True)
    user, password = options.pop("username", None), options.pop("password", None)
    if user or password:
        provider = UsernamePasswordCredentialProvider(user, password)
        options["credential_provider"] = provider
    return options


def is_address(url: str) -> bool:
    """Return whether redis-py can connect to this address, without connecting."""
    try:
        ConnectionPool(**options_of(url)).make_connection()
    except (AttributeError, TypeError, ValueError):
        return False
    return True


def place_of(url: str, form: str = "{host}:{port}/{db}") -> str:
    """Return host, port and database of an address, or the path of its socket."""
    try:
        options = DEFAULTS | options_of(url)
    except (AttributeError, ValueError):
        return "an address that is not one of Redis"
    if ":" in options["host"]:
        options["host"] = f"[{options['host']}]"
    return ("{path}?db={db}" if "path" in options else form).format(**options)
