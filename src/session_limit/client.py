"""
Who is calling: an address as it may be stored, and a device named well enough for
its owner to recognize it in a list.

Everything read here is what a client says of itself. It is shown to people and may
choose a scope; nothing is ever authenticated by it.
"""

from __future__ import annotations

import enum
import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from session_limit.conf import conf

if TYPE_CHECKING:
    from django.http import HttpRequest

# Longer than any browser's own; nothing after it is looked at.
MAX_USER_AGENT = 512


class DeviceClass(enum.StrEnum):
    """What kind of device it is; a scope, for one phone and one computer."""

    PHONE = "phone"
    TABLET = "tablet"
    COMPUTER = "computer"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Client:
    """
    ``address``: as ``SESSION_LIMIT_STORE_ADDRESS`` lets it be stored, or ``None``.
    ``device``: "Firefox on Android"; ``""`` where nothing is known of it.
    """

    address: str | None
    device: str
    device_class: DeviceClass


def describe(request: HttpRequest) -> Client:
    """Return who sent ``request``. No header, however hostile, makes this fail."""
    agent = request.META.get("HTTP_USER_AGENT", "")[:MAX_USER_AGENT]
    platform, device_class = _platform(agent)
    browser = _browser(agent, platform)
    return Client(
        address=_address(request),
        # Made of our names alone: no markup and no control character of a client's
        # gets into a page or a log.
        device=" on ".join(filter(None, (browser, platform))),
        device_class=device_class,
    )


# The first row counts of which the user agent contains every word: most also claim
# to be something further down.
_PLATFORMS = (
    ("TV", DeviceClass.OTHER, ("SMART-TV",)),
    ("TV", DeviceClass.OTHER, ("SmartTV",)),
    ("TV", DeviceClass.OTHER, ("Android TV",)),
    ("iPad", DeviceClass.TABLET, ("iPad",)),
    ("iPhone", DeviceClass.PHONE, ("iPhone",)),
    ("Android", DeviceClass.PHONE, ("Android", "Mobile")),
    ("Android", DeviceClass.TABLET, ("Android", "Mozilla/")),
    ("Android", DeviceClass.OTHER, ("Android",)),
    ("Windows", DeviceClass.COMPUTER, ("Windows",)),
    ("ChromeOS", DeviceClass.COMPUTER, ("CrOS",)),
    # "Request desktop website", in a browser that exists on iOS and iPadOS alone.
    ("iPhone or iPad", DeviceClass.TABLET, ("Macintosh", "iOS/")),
    ("macOS", DeviceClass.COMPUTER, ("Macintosh", "Chrome/")),
    ("macOS", DeviceClass.COMPUTER, ("Macintosh", "Firefox/")),
    # Safari, and every app, says on an iPad exactly what it says on a Mac.
    ("Mac or iPad", DeviceClass.COMPUTER, ("Macintosh",)),
    ("Linux", DeviceClass.COMPUTER, ("Linux",)),
)

# The first row counts of which the user agent contains any word.
_BROWSERS = (
    ("Edge", ("Edg/", "EdgA/", "EdgiOS/", "Edge/")),
    ("Opera", ("OPR/", "OPT/", "OPX/", "OPiOS/", "Opera")),
    ("Samsung Internet", ("SamsungBrowser/",)),
    ("Firefox", ("Firefox/", "FxiOS/")),
    ("Chrome", ("Chrome/", "CriOS/")),
)
_SAFARI_RUNS_ON = frozenset({"iPhone", "iPad", "Mac or iPad"})


def _platform(agent: str) -> tuple[str, DeviceClass]:
    for platform, device_class, words in _PLATFORMS:
        if all(word in agent for word in words):
            return platform, device_class
    return "", DeviceClass.OTHER


def _browser(agent: str, platform: str) -> str:
    # An app showing pages in Android's web view is not the browser that view is
    # made of. On iOS such apps leave out one of Safari's two words.
    if "; wv)" in agent:
        return ""
    for browser, words in _BROWSERS:
        if any(word in agent for word in words):
            return browser
    is_safari = "Version/" in agent and "Safari/" in agent
    return "Safari" if is_safari and platform in _SAFARI_RUNS_ON else ""


# Some proxies pass the port on: "192.0.2.1:443", "[2001:db8::1]:443".
_WITH_PORT = re.compile(r"\[([^]]+)\](?::[0-9]+)?|([^:]+):[0-9]+")
_KEPT_BITS = {4: 24, 6: 48}


def _address(request: HttpRequest) -> str | None:
    mode = conf.store_address
    if mode == "none":
        return None
    address = _parse(_nearest_untrusted(request))
    if address is None:
        return None
    if mode == "full":
        return str(address)
    network = ipaddress.ip_network((address, _KEPT_BITS[address.version]), strict=False)
    return str(network.network_address)


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
