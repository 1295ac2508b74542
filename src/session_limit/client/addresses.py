"""
The address of who is calling, as it may be stored, and as it may be shown.

It is read from the connection and, as far as proxies of ours wrote it, from
X-Forwarded-For: never from ``Forwarded``, ``X-Real-IP`` or the like, which whoever
sends a request can write, and which most proxies pass on as they came.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from session_limit.conf import conf

if TYPE_CHECKING:
    from django.http import HttpRequest

# Some proxies pass the port on: "192.0.2.1:443", "[2001:db8::1]:443".
_WITH_PORT = re.compile(r"\[([^]]+)\](?::[0-9]+)?|([^:]+):[0-9]+")
_KEPT_BITS = {4: 24, 6: 48}
# What begins with 2002 has a whole IPv4 address in its first 48 bits.
_KEPT_BITS_6TO4 = 16 + _KEPT_BITS[4]


def address_of(request: HttpRequest) -> str | None:
    """Return it as ``SESSION_LIMIT_STORE_ADDRESS`` lets it be stored, or ``None``."""
    mode = conf.store_address
    if mode == "none":
        return None
    address = _parse(_nearest_untrusted(request))
    if address is None:
        return None
    if mode == "full":
        return str(address)
    is_6to4 = isinstance(address, ipaddress.IPv6Address) and address.sixtofour
    bits = _KEPT_BITS_6TO4 if is_6to4 else _KEPT_BITS[address.version]
    network = ipaddress.ip_network((address, bits), strict=False)
    return str(network.network_address)


def mask(address: str) -> str:
    """
    Return of a stored address what administrators see who may not see all of it:
    "203.0.x.x", "2001:db8:…"; ``""`` of what is no address.
    """
    parsed = _parse(address)
    if parsed is None:
        return ""
    if isinstance(parsed, ipaddress.IPv4Address):
        first, second, *_ = str(parsed).split(".")
        return f"{first}.{second}.x.x"
    first, second, *_ = parsed.exploded.split(":")
    return f"{int(first, 16):x}:{int(second, 16):x}:…"


def _nearest_untrusted(request: HttpRequest) -> str:
    """
    Return who spoke to the outermost of our proxies.

    Each proxy appends whom it heard, so only that many entries from the right were
    written by ours; what stands before them was sent by whoever wanted us to believe
    it. With fewer entries than proxies, the leftmost is as far as anybody knows.
    """
    remote: str = request.META.get("REMOTE_ADDR", "")
    proxies = conf.trusted_proxies
    if proxies < 1:
        return remote
    header: str = request.META.get("HTTP_X_FORWARDED_FOR", "")
    path = [*filter(None, map(str.strip, header.split(","))), remote]
    return path[-proxies - 1 :][0]


def _parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if with_port := _WITH_PORT.fullmatch(text):
        text = with_port[1] or with_port[2]
    # A zone is the name of an interface of the machine it was read on.
    text = text.partition("%")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address
