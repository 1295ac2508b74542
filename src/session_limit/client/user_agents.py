"""Recognize browsers and platforms by what clients say of themselves."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.http import HttpRequest


class DeviceClass(enum.StrEnum):
    """What kind of device it is; a scope, for one phone and one computer."""

    PHONE = "phone"
    TABLET = "tablet"
    COMPUTER = "computer"
    OTHER = "other"


# Longer than any browser's own header; nothing after it is looked at.
MAX_HEADER = 512


def user_agent(request: HttpRequest) -> str:
    """Return as much of the user agent as is looked at."""
    return _header(request, "USER_AGENT")


def _header(request: HttpRequest, name: str) -> str:
    header: str = request.META.get(f"HTTP_{name}", "")
    return header[:MAX_HEADER]


# The first row counts whose words are in the user agent: most also claim to be
# something further down.
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
BROWSERS = tuple(
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
    for platform, device_class, words in PLATFORMS:
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
    for browser, words in BROWSERS:
        if words.search(agent):
            return browser
    is_safari = "Version/" in agent and "Safari/" in agent
    return "Safari" if is_safari and platform in _SAFARI_RUNS_ON else ""
