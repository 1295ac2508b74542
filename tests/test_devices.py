from __future__ import annotations

import importlib
import sys

import pytest
from django.test import override_settings

from session_limit.client import Client
from session_limit.contrib import ua_parser
from tests.agents import (
    ANDROID_CHROME,
    CHROME,
    COMPUTER,
    DEVICES,
    MOBILE_CHROME,
    OTHER,
    PHONE,
    TABLET,
    TIZEN,
    WEB_VIEW,
    WINDOWS_CHROME,
    client,
)

UA_PARSER = "session_limit.contrib.ua_parser.describe_device"


@pytest.mark.parametrize(("agent", "device", "device_class"), DEVICES)
def test_device(agent, device, device_class):
    assert client(agent) == Client(None, device, device_class)


# Client hints


def brands(*names):
    made_up = ('"Not;A=Brand";v="24"', '"Chromium";v="142"')
    return ", ".join([*made_up, *(f'"{name}";v="142"' for name in names)])


@pytest.mark.parametrize(
    ("agent", "hinted", "device"),
    [
        # Only this header tells Brave from Chrome.
        (WINDOWS_CHROME, brands("Brave"), "Brave on Windows"),
        (ANDROID_CHROME, brands("Brave"), "Brave on Android"),
        (WINDOWS_CHROME, brands("Google Chrome"), "Chrome on Windows"),
        (f"{WINDOWS_CHROME} Edg/1", brands("Microsoft Edge"), "Edge on Windows"),
        (f"{WINDOWS_CHROME} OPR/124", brands("Opera"), "Opera on Windows"),
        (f"{WINDOWS_CHROME} OPR/124", brands("Opera GX"), "Opera on Windows"),
        (WINDOWS_CHROME, brands("Google Chrome", "Vivaldi"), "Vivaldi on Windows"),
        (f"{WINDOWS_CHROME} Ddg/1", brands("DuckDuckGo"), "DuckDuckGo on Windows"),
        # An app that embeds a browser is not that browser.
        (
            f"{WINDOWS_CHROME} Edg/142.0.0.0",
            brands("Microsoft Edge", "Microsoft Edge WebView2"),
            "Windows",
        ),
        # If no brand is known, the user agent decides.
        (f"{WEB_VIEW} {MOBILE_CHROME}", brands("Android WebView"), "Android"),
        (WINDOWS_CHROME, brands("Brave\u202e", "<b>", "brave"), "Chrome on Windows"),
        (WINDOWS_CHROME, '"\\"Brave";v="1"', "Chrome on Windows"),
        (WINDOWS_CHROME, '"\\\\"Brave";v="1', "Chrome on Windows"),
        (WINDOWS_CHROME, "Brave", "Chrome on Windows"),
        (WINDOWS_CHROME, '"Brave', "Chrome on Windows"),
        # Not well-formed, but clear enough
        (WINDOWS_CHROME, '"Brave"', "Brave on Windows"),
        (WINDOWS_CHROME, ',;,"(Not\\"A;Brand"; v="9","Brave" ;v=1', "Brave on Windows"),
        ("", brands("Brave"), "Brave"),
    ],
)
def test_brands(agent, hinted, device):
    assert client(agent, brands=hinted).device == device


@pytest.mark.parametrize(
    ("agent", "platform", "mobile", "device", "device_class"),
    [
        ("", '"Windows"', "?0", "Windows", COMPUTER),
        ("", '"macOS"', "?0", "macOS", COMPUTER),
        ("", '"Linux"', "?0", "Linux", COMPUTER),
        ("", '"Chrome OS"', "?0", "ChromeOS", COMPUTER),
        ("", '"Chromium OS"', "?0", "ChromeOS", COMPUTER),
        ("", '"Android"', "?1", "Android", PHONE),
        ("", '"Android"', "?0", "Android", TABLET),
        ("", '"Android"', "", "Android", OTHER),
        ("", '"Android"', "1", "Android", OTHER),
        ("", '"Unknown"', "?1", "", OTHER),
        ("", '"<b>"', "?1", "", OTHER),
        ("", "", "?1", "", OTHER),
        # If the user agent names a platform, it is more precise.
        (f"{TIZEN} {CHROME}", '"Linux"', "?0", "Samsung Internet on TV", OTHER),
        (ANDROID_CHROME, '"Windows"', "?0", "Chrome on Android", PHONE),
    ],
)
def test_a_platform_that_is_hinted(agent, platform, mobile, device, device_class):
    described = client(agent, platform=platform, mobile=mobile)
    assert described == Client(None, device, device_class)


# ua-parser

# Names that are more precise than those of our table
LOOKED_UP = {
    "Firefox": "Firefox on FreeBSD",
    "Apple device": "Shop on Apple device",
}


@pytest.mark.parametrize(("agent", "device", "device_class"), DEVICES)
@override_settings(SESSION_LIMIT_DEVICE=UA_PARSER)
def test_a_device_looked_up_by_ua_parser(agent, device, device_class):
    assert client(agent) == Client(None, LOOKED_UP.get(device, device), device_class)


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        (f"{WINDOWS_CHROME} Maxthon/7.3", "Maxthon on Windows"),
        (f"{ANDROID_CHROME} MQQBrowser/15.1", "QQ Browser on Android"),
        ("okhttp/5.3.0", "okhttp"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1)", "Googlebot"),
    ],
)
def test_ua_parser_knows_what_our_table_does_not(agent, device):
    assert client(agent).device != device
    with override_settings(SESSION_LIMIT_DEVICE=UA_PARSER):
        assert client(agent).device == device
        hinted = client(agent, brands=brands("Brave")).device
    assert hinted.startswith("Brave")


def test_without_ua_parser_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ua_parser", None)
    with pytest.raises(
        ImportError, match=r'install "django-session-limit\[ua-parser\]"'
    ):
        importlib.reload(ua_parser)
