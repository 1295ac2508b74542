"""
Who is calling: an address as it may be stored, and a device named well enough for
its owner to recognize it in a list.

Everything read here is what a client says of itself. It is shown to people and may
choose a scope; nothing is ever authenticated by it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from session_limit.client.addresses import address_of
from session_limit.client.user_agents import (
    BROWSERS,
    PLATFORMS,
    DeviceClass,
    browser_of,
    platform_of,
)
from session_limit.conf import conf

if TYPE_CHECKING:
    from django.http import HttpRequest

logger = logging.getLogger("session_limit")

# As long as the database's column.
MAX_DEVICE = 100


@dataclass(frozen=True, slots=True)
class Device:
    """``name``: "Firefox on Android"; ``""`` where nothing is known of it."""

    name: str
    device_class: DeviceClass


@dataclass(frozen=True, slots=True)
class Client:
    """
    ``address``: as ``SESSION_LIMIT_STORE_ADDRESS`` lets it be stored, or ``None``.
    ``device``, ``device_class``: as ``SESSION_LIMIT_DEVICE`` names them.
    """

    address: str | None
    device: str
    device_class: DeviceClass


def describe(request: HttpRequest) -> Client:
    """
    Return who sent ``request``. No header, however hostile, makes this fail, and
    neither does a ``SESSION_LIMIT_DEVICE`` that does: nobody is kept out for want of a
    name. Its failure is logged.
    """
    try:
        device = import_string(conf.device)(request)
        name = _legible(device.name)
        device_class = next(
            (known for known in DeviceClass if known == device.device_class),
            DeviceClass.OTHER,
        )
    except Exception:
        logger.exception("SESSION_LIMIT_DEVICE failed: the device has no name.")
        name, device_class = "", DeviceClass.OTHER
    return Client(address_of(request), name, device_class)


def _legible(name: str) -> str:
    # A callable of a project's may repeat what a client sent. What controls a terminal
    # or turns the text around it right to left is not printable, as Unicode has it.
    kept = (char for char in name if char.isprintable() or char.isspace())
    return " ".join("".join(kept).split())[:MAX_DEVICE].rstrip()


def describe_device(request: HttpRequest) -> Device:
    """
    Return what a small table knows of the device that sent ``request``: the default of
    ``SESSION_LIMIT_DEVICE``. Made of our names alone: of a client's words none gets
    into a page or a log.
    """
    platform, device_class = platform_of(request)
    return Device(device_name(browser_of(request, platform), platform), device_class)


def device_name(browser: str, platform: str) -> str:
    """Return "Firefox on Android", or the one of the two that is known."""
    return " on ".join(filter(None, (browser, platform)))


# Names are stored in English. What of them is no trademark is said in the reader's
# language.
_WORDS = {
    "TV": gettext_lazy("TV"),
    "Mac or iPad": gettext_lazy("Mac or iPad"),
    "iPhone or iPad": gettext_lazy("iPhone or iPad"),
    "Apple device": gettext_lazy("Apple device"),
}
_PLATFORM_NAMES = {platform for platform, *_rest in PLATFORMS} - {""}
_APPS = {name for name, _words in BROWSERS if name.endswith(" app")}


def device_label(name: str) -> str:
    """
    Return a device's stored ``name`` in the reader's language: "Firefox auf Android".
    Words that are not of our table stay as they are, whoever found them.
    """
    if not name:
        return _("Unknown device")
    browser, on, platform = name.rpartition(" on ")
    if not on:
        return _word(name)
    if platform not in _PLATFORM_NAMES:
        return name
    # Translators: a browser or an app, and what it runs on: "Firefox on Android".
    text = _("%(browser)s on %(platform)s")
    return text % {"browser": _word(browser), "platform": _word(platform)}


def _word(name: str) -> str:
    if name in _APPS:
        # Translators: an app and not a browser: "Instagram app".
        return _("%(name)s app") % {"name": name.removesuffix(" app")}
    return str(_WORDS.get(name, name))
