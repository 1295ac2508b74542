"""Recognize browsers and platforms by the headers that clients send."""

from __future__ import annotations

import enum
import functools
import re

from django.http import HttpRequest


class DeviceClass(enum.StrEnum):
    """The device classes, each with a separate limit under ``PerDeviceClass``."""

    PHONE = "phone"
    TABLET = "tablet"
    COMPUTER = "computer"
    OTHER = "other"


# In characters. No browser sends a header as long as this. The rest is ignored.
MAX_HEADER = 512


def user_agent(request: HttpRequest) -> str:
    """Return the first ``MAX_HEADER`` characters of the ``User-Agent`` header."""
    return _header(request, "USER_AGENT")


def _header(request: HttpRequest, name: str) -> str:
    header: str = request.META.get(f"HTTP_{name}", "")
    return header[:MAX_HEADER]


# The first row that matches the user agent is used. Most devices also claim to be one
# of a later row.
PLATFORMS = tuple(
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
        # Samsung's tablets ask for the "Desktop site" by default.
        ("Android", DeviceClass.TABLET, "X11.*SamsungBrowser/"),
        ("Android", DeviceClass.PHONE, "Android.*Mobile"),
        ("Android", DeviceClass.TABLET, "Mozilla/.*Android"),
        ("Android", DeviceClass.OTHER, "Android"),
        ("Windows", DeviceClass.COMPUTER, "Windows"),
        ("ChromeOS", DeviceClass.COMPUTER, "CrOS"),
        # A browser for iOS (FxiOS/, CriOS/) that asks for the desktop site.
        ("iPhone or iPad", DeviceClass.TABLET, "Macintosh.*iOS/"),
        ("macOS", DeviceClass.COMPUTER, "Macintosh.*(?:Chrome|Firefox)/"),
        # Safari and apps send the same header on an iPad as on a Mac.
        ("Mac or iPad", DeviceClass.COMPUTER, "Macintosh"),
        # Apple's network library sends this for an app.
        ("Apple device", DeviceClass.OTHER, "CFNetwork/"),
        ("Linux", DeviceClass.COMPUTER, "Linux"),
        ("", DeviceClass.COMPUTER, r"\(X11;"),
    )
)

# As above, the first row that matches is used.
BROWSERS = tuple(
    (browser, re.compile(words))
    for browser, words in (
        # Apps that show web pages inside themselves.
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
        # Apps that embed a browser but do not say which app they are. On iOS they omit
        # one of Safari's two words, and match no row.
        ("", r"; wv\)|Electron/"),
        ("Headless Chrome", "HeadlessChrome/"),
        ("Chrome", "Chrome/|CriOS/"),
        # Programs.
        ("curl", "^curl/"),
        ("Wget", "^Wget/"),
        ("Python", "^(?:python-|Python[-/]|aiohttp/)"),
        ("Go", "^Go-http-client/"),
        ("PowerShell", "PowerShell/"),
        ("Postman", "^PostmanRuntime/"),
    )
)

_SAFARI_RUNS_ON = frozenset({"iPhone", "iPad", "Mac or iPad"})


_HINTED_ANDROIDS = {"?1": DeviceClass.PHONE, "?0": DeviceClass.TABLET}
_HINTED_COMPUTERS = {
    "Windows": "Windows",
    "macOS": "macOS",
    "Linux": "Linux",
    "Chrome OS": "ChromeOS",
    "Chromium OS": "ChromeOS",
}
# The first of these that is among the client's brands is used. The other brands name
# what that browser is based on.
_BRANDS = {
    "Brave": "Brave",
    "DuckDuckGo": "DuckDuckGo",
    "Microsoft Edge WebView2": "",  # an app that embeds it
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
# Browsers also send made-up brands that contain quotes and backslashes.
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


def platform_of(request: HttpRequest) -> tuple[str, DeviceClass]:
    """
    Return the name of the client's platform, such as "iPad", and the device class.

    The ``User-Agent`` header takes precedence over the client hints, because
    ``User-Agent`` identifies more platforms, such as TVs.
    """
    found = _platform_by_agent(user_agent(request))
    if found is not None:
        return found
    hint = _header(request, "SEC_CH_UA_PLATFORM").strip('" ')
    if hint == "Android":
        is_mobile = _header(request, "SEC_CH_UA_MOBILE").strip()
        return hint, _HINTED_ANDROIDS.get(is_mobile, DeviceClass.OTHER)
    platform = _HINTED_COMPUTERS.get(hint, "")
    return platform, DeviceClass.COMPUTER if platform else DeviceClass.OTHER


@functools.lru_cache
def _platform_by_agent(agent: str) -> tuple[str, DeviceClass] | None:
    for platform, device_class, words in PLATFORMS:
        if words.search(agent):
            return platform, device_class
    return None


def browser_of(request: HttpRequest, platform: str) -> str:
    """
    Return the name of the browser or app that sent ``request``, or ``""`` if unknown.

    The client hints take precedence over the ``User-Agent`` header, because only the
    hints distinguish Brave and others from Chrome.
    """
    brands = set(_QUOTED.findall(_header(request, "SEC_CH_UA")))
    for brand, browser in _BRANDS.items():
        if brand in brands:
            return browser
    agent = user_agent(request)
    found = _browser_by_agent(agent)
    if found is not None:
        return found
    is_safari = "Version/" in agent and "Safari/" in agent
    return "Safari" if is_safari and platform in _SAFARI_RUNS_ON else ""


@functools.lru_cache
def _browser_by_agent(agent: str) -> str | None:
    for browser, words in BROWSERS:
        if words.search(agent):
            return browser
    return None
