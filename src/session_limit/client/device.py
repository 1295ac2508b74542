"""
Describe the client that sent a request by its IP address and device name.

The description relies on headers that clients can forge. The description is shown to
people and can determine which limit applies, but never authenticates anybody.
"""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass

from django.http import HttpRequest
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

logger = logging.getLogger("session_limit")

# In characters: the length of the database column.
MAX_DEVICE = 100


@dataclass(frozen=True, slots=True)
class Device:
    """A device with a name, such as "Firefox on Android", and a device class."""

    # An empty string if the device is unknown.
    name: str
    device_class: DeviceClass


@dataclass(frozen=True, slots=True)
class Client:
    """
    The information that is stored about the client of a session.

    ``address`` is the IP address, shortened or omitted (``None``) according to
    ``SESSION_LIMIT_STORE_ADDRESS``. ``device`` (a name) and ``device_class`` come from
    the function that ``SESSION_LIMIT_DEVICE`` names.
    """

    address: str | None
    device: str
    device_class: DeviceClass


def describe(request: HttpRequest) -> Client:
    """
    Return the address and the device of the client that sent ``request``.

    This function never raises. Errors in the function that ``SESSION_LIMIT_DEVICE``
    names are logged. The device then has no name, and the sign-in continues.
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


@functools.lru_cache
def _legible(name: str) -> str:
    # A project's function may return text from a client. Characters that control a
    # terminal or the direction of surrounding text are not printable.
    legible = (char for char in name if char.isprintable() or char.isspace())
    return " ".join("".join(legible).split())[:MAX_DEVICE].rstrip()


def describe_device(request: HttpRequest) -> Device:
    """
    Return the device that the headers of ``request`` indicate.

    This function is the default for ``SESSION_LIMIT_DEVICE``. The name consists only of
    words from this package, so that no text from a client gets into a page or a log.
    """
    platform, device_class = platform_of(request)
    return Device(device_name(browser_of(request, platform), platform), device_class)


def device_name(browser: str, platform: str) -> str:
    """Return a device name such as "Firefox on Android", omitting empty parts."""
    return " on ".join(filter(None, (browser, platform)))


# Names are stored in English. These words are not trademarks, so they are translated.
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
    Translate a stored device name, such as "Firefox on Android", for display.

    A name that does not consist of this package's own words is returned unchanged.
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
