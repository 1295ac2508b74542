"""
Find and mask the IP addresses of clients.

The address comes from the connection and from the part of ``X-Forwarded-For`` that the
project's proxies wrote. Other headers, such as ``Forwarded`` and ``X-Real-IP``, are
ignored, because clients can send them and most proxies pass them on unchanged.
"""

from __future__ import annotations

import ipaddress
import re

from django.http import HttpRequest

from session_limit.conf import conf

# Some proxies add the port: "192.0.2.1:443", "[2001:db8::1]:443".
_WITH_PORT = re.compile(r"\[([^]]+)\](?::[0-9]+)?|([^:]+):[0-9]+")
_STORED_BITS = {4: 24, 6: 48}
# A 6to4 address (2002::/16) has a whole IPv4 address in its first 48 bits.
_STORED_BITS_6TO4 = 16 + _STORED_BITS[4]


def address_of(request: HttpRequest) -> str | None:
    """
    Return the client's IP address, or ``None`` if unknown or not to be stored.

    ``SESSION_LIMIT_STORE_ADDRESS`` says whether to shorten or omit the address.
    """
    mode = conf.store_address
    if mode == "none":
        return None
    address = _parse(_nearest_untrusted(request))
    if address is None:
        return None
    if mode == "full":
        return str(address)
    is_6to4 = isinstance(address, ipaddress.IPv6Address) and address.sixtofour
    bits = _STORED_BITS_6TO4 if is_6to4 else _STORED_BITS[address.version]
    omitted = address.max_prefixlen - bits
    return str(type(address)(int(address) >> omitted << omitted))


def mask(address: str) -> str:
    """
    Return a masked form of an IP address, such as "203.0.x.x" or "2001:db8:…".

    All administrators may see this form. Return ``""`` for an invalid address.
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
    Return the address that connected to the outermost of the project's proxies.

    Each proxy appends the address from which the request came. With N proxies, only the
    last N entries can be trusted, because a client can send earlier entries. If there
    are fewer entries than proxies, return the first entry.
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
    # A zone ("fe80::1%eth0") names an interface of one machine.
    text = text.partition("%")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address
