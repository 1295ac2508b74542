"""
Who is calling: an address as it may be stored, and a device named well enough for
its owner to recognize it in a list.

Everything read here is what a client says of itself. It is shown to people and may
choose a scope; nothing is ever authenticated by it.
"""

from __future__ import annotations

import enum
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from session_limit.client.addresses import address_of, mask
from session_limit.conf import conf

if TYPE_CHECKING:
    from django.http import HttpRequest

__all__ = [
    "Client",
    "Device",
    "DeviceClass",
    "describe",
    "describe_device",
    "device_label",
    "mask",
]

logger = logging.getLogger("session_limit")

# Longer than any browser's own header; nothing after it is looked at.
MAX_HEADER = 512
# As long as the database's column.
MAX_DEVICE = 100


class DeviceClass(enum.StrEnum):
    """What kind of device it is; a scope, for one phone and one computer."""

    PHONE = "phone"
    TABLET = "tablet"
    COMPUTER = "computer"
    OTHER = "other"


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
        device = conf.describe_device(request)
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


def user_agent(request: HttpRequest) -> str:
    """Return as much of the user agent as is looked at."""
    return _header(request, "USER_AGENT")


def _header(request: HttpRequest, name: str) -> str:
    header: str = request.META.get(f"HTTP_{name}", "")
    return header[:MAX_HEADER]


# The first row counts whose words are in the user agent: most also claim to be
# something further down.
_PLATFORMS = tuple(
    (platform, device_class, re.compile(words))
    for platform, device_class, words in (
        ("TV", DeviceClass.OTHER, "SMART-TV|Smart ?TV|AppleTV|HbbTV|BRAVIA|Roku"),
        ("TV", DeviceClass.OTHER, r"Android TV|Google ?TV|CrKey/|\bAFT[A-Z]"),
        ("Xbox", DeviceClass.OTHER, "Xbox"),
        ("PlayStation", DeviceClass.OTHER, "PlayStation"),
        ("Meta Quest", DeviceClass.OTHER, "OculusBrowser/"),
        ("iPad", DeviceClass.TABLET, "iPad"),
        ("iPhone", DeviceClass.PHONE, "iPhone"),
        ("KaiOS", DeviceClass.PHONE, "KAIOS/"),
        ("HarmonyOS", DeviceClass.PHONE, r"\(Phone; OpenHarmony"),
        ("HarmonyOS", DeviceClass.TABLET, r"\(Tablet; OpenHarmony"),
        # "Desktop site", which Samsung's tablets ask for by themselves.
        ("Android", DeviceClass.TABLET, "X11.*SamsungBrowser/"),
        ("Android", DeviceClass.PHONE, "Android.*Mobile"),
        ("Android", DeviceClass.TABLET, "Mozilla/.*Android"),
        ("Android", DeviceClass.OTHER, "Android"),
        ("Windows", DeviceClass.COMPUTER, "Windows"),
        ("ChromeOS", DeviceClass.COMPUTER, "CrOS"),
        # The same, in a browser that exists on iOS and iPadOS alone.
        ("iPhone or iPad", DeviceClass.TABLET, "Macintosh.*iOS/"),
        ("macOS", DeviceClass.COMPUTER, "Macintosh.*(?:Chrome|Firefox)/"),
        # Safari, and every app, says on an iPad exactly what it says on a Mac.
        ("Mac or iPad", DeviceClass.COMPUTER, "Macintosh"),
        # What the network library of Apple's says for an app.
        ("Apple device", DeviceClass.OTHER, "CFNetwork/"),
        ("Linux", DeviceClass.COMPUTER, "Linux"),
        ("", DeviceClass.COMPUTER, r"\(X11;"),
    )
)

# The same, of browsers.
_BROWSERS = tuple(
    (browser, re.compile(words))
    for browser, words in (
        # Apps that open a link inside themselves.
        ("Messenger app", "FBAN/Messenger|Orca-Android"),
        ("Facebook app", "FBA[NV]/|FB_IAB/"),
        ("Instagram app", r"\bInstagram "),
        ("TikTok app", "musical_ly|BytedanceWebview"),
        ("Snapchat app", "Snapchat"),
        ("LinkedIn app", "LinkedInApp"),
        ("Pinterest app", r"\[Pinterest/"),
        ("LINE app", r"\bLine/"),
        ("WeChat app", "MicroMessenger/"),
        ("KakaoTalk app", "KAKAOTALK"),
        ("Google app", r"\bGSA/"),
        ("DuckDuckGo", r"DuckDuckGo/|\bDdg/"),
        ("Edge", r"\bEdg(?:e|A|iOS)?/"),
        ("Opera", r"\bOP[RTX]/|OPiOS/|Opera"),
        ("Samsung Internet", "SamsungBrowser/"),
        ("Brave", "Brave/"),
        ("Vivaldi", "Vivaldi/"),
        ("Yandex Browser", "YaBrowser/"),
        ("UC Browser", "UCBrowser/"),
        ("Whale", "Whale/"),
        ("Silk", "Silk/"),
        ("Mi Browser", "MiuiBrowser/"),
        ("Huawei Browser", "HuaweiBrowser/"),
        ("Meta Quest Browser", "OculusBrowser/"),
        ("Internet Explorer", "Trident/|MSIE "),
        ("Firefox", "Firefox/|FxiOS/"),
        # An app is not the browser that its window is made of, and these do not say
        # which app. On iOS they leave out one of Safari's two words.
        ("", r"; wv\)|Electron/"),
        ("Headless Chrome", "HeadlessChrome/"),
        ("Chrome", "Chrome/|CriOS/"),
        # Programs that sign in by themselves.
        ("curl", "^curl/"),
        ("Wget", "^Wget/"),
        ("Python", "^(?:python-|Python[-/]|aiohttp/)"),
        ("Go", "^Go-http-client/"),
        ("PowerShell", "PowerShell/"),
        ("Postman", "^PostmanRuntime/"),
    )
)
_SAFARI_RUNS_ON = frozenset({"iPhone", "iPad", "Mac or iPad"})


def platform_of(request: HttpRequest) -> tuple[str, DeviceClass]:
    """
    Return what the device runs, as its owner would call it, and its class. The user
    agent knows more than the hints (a TV, "Mac or iPad"), which count where it is mute.
    """
    agent = user_agent(request)
    for platform, device_class, words in _PLATFORMS:
        if words.search(agent):
            return platform, device_class
    hint = _header(request, "SEC_CH_UA_PLATFORM").strip('" ')
    if hint == "Android":
        is_mobile = _header(request, "SEC_CH_UA_MOBILE").strip()
        return hint, _HINTED_ANDROIDS.get(is_mobile, DeviceClass.OTHER)
    platform = _HINTED_COMPUTERS.get(hint, "")
    return platform, DeviceClass.COMPUTER if platform else DeviceClass.OTHER


_HINTED_ANDROIDS = {"?1": DeviceClass.PHONE, "?0": DeviceClass.TABLET}
_HINTED_COMPUTERS = {
    "Windows": "Windows",
    "macOS": "macOS",
    "Linux": "Linux",
    "Chrome OS": "ChromeOS",
    "Chromium OS": "ChromeOS",
}

# The first that is among the brands counts: the others are what it is made of.
_BRANDS = {
    "Brave": "Brave",
    "DuckDuckGo": "DuckDuckGo",
    "Microsoft Edge WebView2": "",  # an app, as above
    "Microsoft Edge": "Edge",
    "Opera": "Opera",
    "Opera GX": "Opera",
    "Samsung Internet": "Samsung Internet",
    "Vivaldi": "Vivaldi",
    "YaBrowser": "Yandex Browser",
    "Whale": "Whale",
    "HeadlessChrome": "Headless Chrome",
    "Google Chrome": "Chrome",
}
# Browsers send made-up brands too, so that nobody parses these carelessly.
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


def browser_of(request: HttpRequest, platform: str) -> str:
    """
    Return the browser or app, or ``""``. The client hints come first, because some,
    like Brave, are told from Chrome by these alone.
    """
    brands = set(_QUOTED.findall(_header(request, "SEC_CH_UA")))
    for brand, browser in _BRANDS.items():
        if brand in brands:
            return browser
    agent = user_agent(request)
    for browser, words in _BROWSERS:
        if words.search(agent):
            return browser
    is_safari = "Version/" in agent and "Safari/" in agent
    return "Safari" if is_safari and platform in _SAFARI_RUNS_ON else ""


# Names are stored in English. What of them is no trademark is said in the reader's
# language.
_WORDS = {
    "TV": gettext_lazy("TV"),
    "Mac or iPad": gettext_lazy("Mac or iPad"),
    "iPhone or iPad": gettext_lazy("iPhone or iPad"),
    "Apple device": gettext_lazy("Apple device"),
}
_PLATFORM_NAMES = {platform for platform, *_rest in _PLATFORMS} - {""}
_APPS = {name for name, _words in _BROWSERS if name.endswith(" app")}


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
