from __future__ import annotations

import ipaddress

import pytest
from django.http import HttpRequest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from session_limit.client import MAX_USER_AGENT, Client, DeviceClass, describe
from session_limit.models import UserSession

PHONE, TABLET, COMPUTER, OTHER = DeviceClass


def client(agent="", remote="", forwarded=None):
    request = HttpRequest()
    request.META = {"HTTP_USER_AGENT": agent, "REMOTE_ADDR": remote}
    if forwarded is not None:
        request.META["HTTP_X_FORWARDED_FOR"] = forwarded
    return describe(request)


WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
IOS_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
MAC = f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT}"
MAC_SAFARI = f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {IOS_WEBKIT}"
IPHONE = f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {IOS_WEBKIT}"
IPAD = f"Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) {IOS_WEBKIT}"
WINDOWS = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT}"
LINUX = f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT}"
ANDROID = f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT}"
MOBILE_CHROME = "Chrome/142.0.0.0 Mobile Safari/537.36"
CHROME = "Chrome/142.0.0.0 Safari/537.36"
GECKO = "Gecko/20100101 Firefox/145.0"
WEB_VIEW = f"Mozilla/5.0 (Linux; Android 15; Pixel 8; wv) {WEBKIT} Version/4.0"
TIZEN = f"Mozilla/5.0 (SMART-TV; LINUX; Tizen 8.0) {WEBKIT} SamsungBrowser/6.1"


DEVICES = [
    (f"{WINDOWS} {CHROME}", "Chrome on Windows", COMPUTER),
    (f"{MAC} {CHROME}", "Chrome on macOS", COMPUTER),
    (f"{LINUX} {CHROME}", "Chrome on Linux", COMPUTER),
    (
        f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} {CHROME}",
        "Chrome on ChromeOS",
        COMPUTER,
    ),
    (f"{ANDROID} {MOBILE_CHROME}", "Chrome on Android", PHONE),
    (f"{ANDROID} {CHROME}", "Chrome on Android", TABLET),
    (
        f"{IPHONE} CriOS/142.0.7444.46 Mobile/15E148 Safari/604.1",
        "Chrome on iPhone",
        PHONE,
    ),
    (
        f"{IPAD} CriOS/142.0.7444.46 Mobile/15E148 Safari/604.1",
        "Chrome on iPad",
        TABLET,
    ),
    # Chrome on iPadOS or iOS, asked for the desktop's page.
    (
        f"{MAC_SAFARI} CriOS/142 Version/18.5 Safari/605.1.15",
        "Chrome on iPhone or iPad",
        TABLET,
    ),
    (
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) {GECKO}",
        "Firefox on Windows",
        COMPUTER,
    ),
    (
        f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) {GECKO}",
        "Firefox on macOS",
        COMPUTER,
    ),
    (
        f"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:145.0) {GECKO}",
        "Firefox on Linux",
        COMPUTER,
    ),
    (
        "Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0",
        "Firefox on Android",
        PHONE,
    ),
    (
        "Mozilla/5.0 (Android 15; Tablet; rv:145.0) Gecko/145.0 Firefox/145.0",
        "Firefox on Android",
        TABLET,
    ),
    (
        f"{IPHONE} FxiOS/145.0 Mobile/15E148 Safari/605.1.15",
        "Firefox on iPhone",
        PHONE,
    ),
    (
        f"{MAC_SAFARI} Version/18.5 Safari/605.1.15",
        "Safari on Mac or iPad",
        COMPUTER,
    ),
    (
        f"{IPHONE} Version/18.5 Mobile/15E148 Safari/604.1",
        "Safari on iPhone",
        PHONE,
    ),
    (f"{IPAD} Version/17.7 Mobile/15E148 Safari/604.1", "Safari on iPad", TABLET),
    (f"{WINDOWS} {CHROME} Edg/142.0.0.0", "Edge on Windows", COMPUTER),
    (f"{ANDROID} {MOBILE_CHROME} EdgA/142.0.0.0", "Edge on Android", PHONE),
    (
        f"{IPHONE} Version/18.0 EdgiOS/142.0.3595.66 Mobile/15E148 Safari/605.1.15",
        "Edge on iPhone",
        PHONE,
    ),
    (f"{WINDOWS} {CHROME} OPR/124.0.0.0", "Opera on Windows", COMPUTER),
    (f"{ANDROID} {MOBILE_CHROME} OPR/92.0.0.0", "Opera on Android", PHONE),
    (
        f"{IPHONE} Version/18.5 Mobile/15E148 Safari/604.1 OPT/6.1.0",
        "Opera on iPhone",
        PHONE,
    ),
    (
        f"{ANDROID} SamsungBrowser/28.0 {MOBILE_CHROME}",
        "Samsung Internet on Android",
        PHONE,
    ),
    (
        f"{TIZEN} Chrome/108.0.0.0 TV Safari/537.36",
        "Samsung Internet on TV",
        OTHER,
    ),
    (
        f"Mozilla/5.0 (Web0S; Linux/SmartTV) {WEBKIT} {CHROME}",
        "Chrome on TV",
        OTHER,
    ),
    (
        f"Mozilla/5.0 (Linux; Android 12; Android TV) {WEBKIT} {CHROME}",
        "Chrome on TV",
        OTHER,
    ),
    # Pages inside an app: whose it is, nobody says.
    (
        f"{WEB_VIEW} {MOBILE_CHROME}",
        "Android",
        PHONE,
    ),
    (f"{IPHONE} Mobile/15E148", "iPhone", PHONE),
    (f"{IPHONE} GSA/392.0 Mobile/15E148 Safari/604.1", "iPhone", PHONE),
    (MAC_SAFARI, "Mac or iPad", COMPUTER),
    # An app itself, which need not say whether it is on a phone.
    ("Dalvik/2.1.0 (Linux; U; Android 15; Pixel 8)", "Android", OTHER),
    ("Shop/7.1 (iPhone; iOS 18.5; Scale/3.00)", "iPhone", PHONE),
    # GNOME Web says what Safari says, on no device of Apple's.
    (f"{LINUX} Version/18.0 Safari/605.1.15", "Linux", COMPUTER),
    (
        "Mozilla/5.0 (Mobile; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5",
        "Firefox",
        OTHER,
    ),
    ("curl/8.14.1", "", OTHER),
    ("Mozilla/5.0", "", OTHER),
    ("", "", OTHER),
]


@pytest.mark.parametrize(("agent", "device", "device_class"), DEVICES)
def test_device(agent, device, device_class):
    assert client(agent) == Client(None, device, device_class)


def test_a_request_without_headers_is_nobody_known():
    # What force_login() of the test client sends.
    assert describe(HttpRequest()) == Client(None, "", OTHER)


def test_a_user_agent_is_read_no_further_than_its_bound():
    padding = "x" * (MAX_USER_AGENT - len("Firefox/"))
    assert client(f"{padding}Firefox/").device == "Firefox"
    assert client(f"x{padding}Firefox/").device == ""


def test_the_words_of_a_client_do_not_get_into_its_label():
    agent = "\x00\x1b[31m\r\nSet-Cookie: a=b\u202e<script> Firefox/1 Android Mobile"
    assert client(agent).device == "Firefox on Android"


@given(st.text(), st.text(), st.text(), st.integers(0, 5))
def test_no_header_makes_it_fail(agent, remote, forwarded, proxies):
    with override_settings(
        SESSION_LIMIT_TRUSTED_PROXIES=proxies, SESSION_LIMIT_STORE_ADDRESS="full"
    ):
        described = client(agent, remote, forwarded)
    assert described.device.isprintable()
    if described.address is not None:
        assert str(ipaddress.ip_address(described.address)) == described.address


# Pieces of which addresses are made, and of which they are not.
PIECES = st.sampled_from(
    [
        *("1.2.3.4", "::", "::ffff:", "2001:db8::1", "fe80::1", "[", "]", ":", "%"),
        *(",", "/24", "443", "eth0", "unix:", "٣", " ", "\x00", "\r\n", '"'),
    ]
)


@given(st.lists(PIECES, max_size=12).map("".join), st.integers(0, 3))
def test_whatever_is_nearly_an_address_is_one_or_none(forwarded, proxies):
    with override_settings(SESSION_LIMIT_TRUSTED_PROXIES=proxies):
        address = client(remote="192.0.2.9", forwarded=forwarded).address
    assert address is None or str(ipaddress.ip_address(address)) == address


@given(st.sampled_from([agent for agent, _, _ in DEVICES]), st.text(max_size=40))
def test_every_label_fits_where_it_is_stored(agent, more):
    described = client(agent + more)
    for name in ("device", "device_class"):
        longest = UserSession._meta.get_field(name).max_length
        assert len(getattr(described, name)) <= longest


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("198.51.100.7:5555", "198.51.100.7"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("[::ffff:198.51.100.7]:443", "198.51.100.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:443", "fe80::1"),
        ("::1", "::1"),
        ("", None),  # a Unix socket
        ("unix:", None),
        ("unknown", None),
        ("localhost:8000", None),
        ("198.51.100.7/24", None),
        ("198.51.100.256", None),
        ("198.51.100.7\n", None),
        ("198.51.100.٣", None),
        ("[]", None),
        ("[]:443", None),
        (":443", None),
        (":", None),
        ("[2001:db8::1", None),
        ("[2001:db8::1]443", None),
        ("2001:db8::1]", None),
        ("198.51.100.7:https", None),
        ("1" * 100_000, None),
    ],
)
@override_settings(SESSION_LIMIT_STORE_ADDRESS="full")
def test_address(remote, address):
    assert client(remote=remote).address == address


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("198.51.100.7", "198.51.100.0"),
        ("2001:db8:1234:5678::9", "2001:db8:1234::"),
        ("::ffff:198.51.100.7", "198.51.100.0"),
        ("::1", "::"),
        ("nowhere", None),
    ],
)
def test_an_address_is_truncated_unless_the_settings_say_otherwise(remote, address):
    assert client(remote=remote).address == address
    with override_settings(SESSION_LIMIT_STORE_ADDRESS="truncated"):
        assert client(remote=remote).address == address


@override_settings(SESSION_LIMIT_STORE_ADDRESS="none", SESSION_LIMIT_TRUSTED_PROXIES=1)
def test_no_address_is_kept_where_none_is_wanted():
    assert client(remote="192.0.2.1", forwarded="198.51.100.7").address is None


SPOOFED = "203.0.113.66"


@pytest.mark.parametrize(
    ("proxies", "remote", "forwarded", "address"),
    [
        # No proxy of ours: the header is the client's own invention.
        (0, "198.51.100.7", SPOOFED, "198.51.100.7"),
        (0, "198.51.100.7", None, "198.51.100.7"),
        # A setting that is wrong (there is a check) believes nobody either.
        (-1, "198.51.100.7", SPOOFED, "198.51.100.7"),
        # One: its entry is the last, whatever a client put before it.
        (1, "192.0.2.1", "198.51.100.7", "198.51.100.7"),
        (1, "192.0.2.1", f"{SPOOFED}, 198.51.100.7", "198.51.100.7"),
        (1, "192.0.2.1", f"{SPOOFED},{SPOOFED} ,198.51.100.7:60123", "198.51.100.7"),
        (1, "192.0.2.1", f",, {SPOOFED}, , 198.51.100.7,", "198.51.100.7"),
        (1, "", "198.51.100.7", "198.51.100.7"),  # over a Unix socket
        (1, "", "", None),
        (1, "192.0.2.1", "unknown", None),
        (1, "192.0.2.1", f"{SPOOFED}, unknown", None),
        # Two: the inner one appended the outer one's address.
        (2, "192.0.2.1", "198.51.100.7, 192.0.2.2", "198.51.100.7"),
        (2, "192.0.2.1", f"{SPOOFED}, 198.51.100.7, 192.0.2.2", "198.51.100.7"),
        (2, "192.0.2.1", "[2001:db8::1]:443, 192.0.2.2", "2001:db8::1"),
        # Fewer entries than proxies: whoever came in by a shorter way.
        (2, "192.0.2.1", "198.51.100.7", "198.51.100.7"),
        (2, "198.51.100.7", None, "198.51.100.7"),
        (1, "198.51.100.7", " , ", "198.51.100.7"),
    ],
)
@override_settings(SESSION_LIMIT_STORE_ADDRESS="full")
def test_only_the_proxies_that_are_ours_are_believed(
    proxies, remote, forwarded, address
):
    with override_settings(SESSION_LIMIT_TRUSTED_PROXIES=proxies):
        assert client(remote=remote, forwarded=forwarded).address == address
