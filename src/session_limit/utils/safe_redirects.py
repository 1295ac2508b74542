"""
Check that an address leads to this site before redirecting or linking to it.

A client chooses the path of a request, the ``next`` parameter and headers such as
``Referer``. Pass such an address to ``local_address()`` before using it as a redirect
or a link, because browsers do not always interpret an address as ``urlsplit()`` does.
"""

from __future__ import annotations

import re
from typing import NewType
from urllib.parse import unquote, urljoin, urlsplit

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.utils.encoding import iri_to_uri
from django.utils.http import url_has_allowed_host_and_scheme

LocalAddress = NewType("LocalAddress", str)
"""A path of this site, with its query and fragment, from ``local_address()``."""

# In characters. Django's own LoginView does not follow longer addresses either.
MAX_LENGTH = 2048

# Browsers drop some control characters, and half of a surrogate pair cannot be encoded.
_UNUSABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# Browsers read a backslash as a slash, and two slashes as the start of a host. Code
# that resolves the dots of "/.//theirs/" produces such an address, as the pathname of a
# URL in a script shows.
_LEADS_AWAY = re.compile(r"(.*[/\\]\.{1,2})?[/\\][\x00-\x20]*[/\\]", re.DOTALL)

_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_RETURN_FIELD = re.compile(
    r"(?<![a-z])"
    r"(next|redirect|return|back|continue|forward|goto|destination|dest|target|came|rd)"
    r"[-_]?(to|from|url|uri|path|page)?"
    r"(?![a-z])"
)


def local_address(request: HttpRequest, url: str) -> LocalAddress | None:
    """
    Return ``url`` without its host if ``url`` leads to this site, and ``None`` if not.

    Every browser must read ``url`` as an address of this site. ``url`` may be absolute
    and name the host of ``request``, or be a path that begins with one slash. The
    result is ASCII and begins with one slash. This function also returns ``None`` for
    relative addresses and for results longer than ``MAX_LENGTH``, and never raises.
    """
    if _UNUSABLE.search(url) or not url_has_allowed_host_and_scheme(
        url, allowed_hosts=_hosts(request), require_https=request.is_secure()
    ):
        return None
    target = urlsplit(url)._replace(scheme="", netloc="")
    # Without its host, "https://ours//theirs/" is the address of another site. The
    # check decodes the path because servers do, and code may link to the decoded path.
    if not target.path.startswith("/") or _LEADS_AWAY.match(unquote(target.path)):
        return None
    address = iri_to_uri(target.geturl())
    return LocalAddress(address) if len(address) <= MAX_LENGTH else None


def outer_address(request: HttpRequest, url: str) -> str | None:
    """
    Return ``url`` if it is an HTTP address on another site, and ``None`` if not.

    The project itself must have chosen the host. The address must be absolute, and use
    HTTPS if ``request`` does.
    """
    try:
        target = urlsplit(url)
    except ValueError:
        return None
    is_elsewhere = target.scheme != "" and target.netloc not in _hosts(request)
    if not is_elsewhere or _UNUSABLE.search(url):
        return None
    if not url_has_allowed_host_and_scheme(
        url, allowed_hosts={target.netloc}, require_https=request.is_secure()
    ):
        return None
    address = iri_to_uri(url)
    return address if len(address) <= MAX_LENGTH else None


def is_return_field(name: str) -> bool:
    """
    Return whether a field with this name usually holds the address of the next page.

    For example, Django calls this field ``next``, django-oscar ``redirect_url``, and
    other projects ``return_to``. A form may have a prefix, as in ``login-next``.
    """
    words = _CAPITAL.sub("_", name).lower()
    return _RETURN_FIELD.search(words) is not None


def own_address(request: HttpRequest) -> LocalAddress | None:
    """
    Return the address of ``request``, or ``None`` if a link to that address is unsafe.

    For example, a link to the path ``//evil.example/`` would lead to another site.
    """
    return local_address(request, request.get_full_path())


def with_host(request: HttpRequest, address: LocalAddress) -> str | None:
    """
    Return the absolute form of ``address``, for a link on another site.

    Return ``None`` if the host of ``request`` is not in ``ALLOWED_HOSTS``.
    """
    try:
        return request.build_absolute_uri(address)
    except DisallowedHost:
        return None


def _hosts(request: HttpRequest) -> set[str]:
    try:
        return {request.get_host()}
    except DisallowedHost:
        return set()


def absolute(request: HttpRequest, url: str) -> str:
    """
    Return ``url``, which may be relative to ``request``, with its path in full.

    Raises ``ValueError`` if ``url`` is malformed.
    """
    return urljoin(own_address(request) or "/", url)
