"""
Addresses within this site.

A client chooses the path of its request, ``next``, and headers such as ``Referer``.
Before one of those becomes a redirect or a link, it passes ``local_address()``: what a
browser makes of an address is not always what ``urlsplit()`` makes of it.
"""

from __future__ import annotations

import re
from typing import NewType
from urllib.parse import unquote, urlsplit

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.utils.encoding import iri_to_uri
from django.utils.http import url_has_allowed_host_and_scheme

LocalAddress = NewType("LocalAddress", str)
"""A path of this site, with its query and fragment, that ``local_address()`` passed."""

# In characters. Django's own LoginView follows no longer address either.
MAX_LENGTH = 2048

# Browsers drop some control characters, and half a surrogate pair has no encoding.
_UNUSABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# Browsers read a backslash as a slash, and two slashes as the beginning of a host. Code
# that resolves the dots of "/.//theirs/" is left with such an address: the pathname of
# a URL in a script has it.
_LEADS_AWAY = re.compile(r"(.*[/\\]\.{1,2})?[/\\][\x00-\x20]*[/\\]", re.DOTALL)


def local_address(request: HttpRequest, url: str) -> LocalAddress | None:
    """
    Return the part of ``url`` after its host, if every browser stays on this site.

    ``url`` may be absolute and name the host of ``request``, or be a path that begins
    with one slash. The result is ASCII and begins with one slash. For everything else,
    relative addresses and those longer than ``MAX_LENGTH`` included, return ``None``.
    Never raises.
    """
    if _UNUSABLE.search(url) or not url_has_allowed_host_and_scheme(
        url, allowed_hosts=_hosts(request), require_https=request.is_secure()
    ):
        return None
    target = urlsplit(url)._replace(scheme="", netloc="")
    # Without its host, "https://ours//theirs/" is the address of another site. The
    # server decodes a path, and code that has it decoded may link to it.
    if not target.path.startswith("/") or _LEADS_AWAY.match(unquote(target.path)):
        return None
    address = iri_to_uri(target.geturl())
    return LocalAddress(address) if len(address) <= MAX_LENGTH else None


def own_address(request: HttpRequest) -> LocalAddress | None:
    """
    Return the address that ``request`` is for, if it can be linked to.

    A client may ask for ``//evil.example/``. As a link, that leads to another site.
    """
    return local_address(request, request.get_full_path())


def _hosts(request: HttpRequest) -> set[str]:
    try:
        return {request.get_host()}
    except DisallowedHost:
        return set()
