from __future__ import annotations

import ipaddress
import logging
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.http import HttpRequest
from django.test import override_settings
from django.utils.translation import gettext_lazy
from hypothesis import given, settings
from hypothesis import strategies as st

from session_limit.client import Client, Device, describe
from session_limit.client.device import MAX_DEVICE
from session_limit.client.user_agents import MAX_HEADER
from session_limit.models import UserSession
from tests.agents import DEVICES, OTHER, PHONE, TABLET, WINDOWS_CHROME, client

PAGE = Path(__file__).resolve().parent.parent / "docs" / "how-to" / "devices.md"


def test_a_request_without_headers_is_nobody_known():
    # force_login() of the test client signs in with such a request.
    assert describe(HttpRequest()) == Client(None, "", OTHER)


def test_a_user_agent_is_read_no_further_than_its_bound():
    padding = "x" * (MAX_HEADER - len("Firefox/"))
    assert client(f"{padding}Firefox/").device == "Firefox"
    assert client(f"x{padding}Firefox/").device == ""
    padding = " " * (MAX_HEADER - len('"Brave"'))
    assert client(brands=f'{padding}"Brave"').device == "Brave"
    assert client(brands=f' {padding}"Brave"').device == ""


def test_the_words_of_a_client_do_not_get_into_its_label():
    agent = "\x00\x1b[31m\r\nSet-Cookie: a=b\u202e<script> Firefox/1 Android Mobile"
    assert client(agent).device == "Firefox on Android"


@settings(deadline=None)  # a busy machine says nothing about the headers
@given(st.text(), st.text(), st.text(), st.text(), st.text(), st.integers(0, 5))
def test_no_header_makes_it_fail(agent, remote, forwarded, brands, platform, proxies):
    with override_settings(
        SESSION_LIMIT_TRUSTED_PROXIES=proxies, SESSION_LIMIT_STORE_ADDRESS="full"
    ):
        described = client(agent, remote, forwarded, brands, platform)
    assert described.device.isprintable()
    if described.address is not None:
        assert str(ipaddress.ip_address(described.address)) == described.address


@given(st.sampled_from([agent for agent, _, _ in DEVICES]), st.text(max_size=40))
def test_every_label_fits_where_it_is_stored(agent, more):
    described = client(agent + more)
    for name in ("device", "device_class"):
        longest = UserSession._meta.get_field(name).max_length
        assert len(getattr(described, name)) <= longest


def described_as(monkeypatch, answer):
    monkeypatch.setattr(sys.modules[__name__], "answer", answer, raising=False)
    with override_settings(SESSION_LIMIT_DEVICE=f"{__name__}.answer"):
        return client(WINDOWS_CHROME, remote="198.51.100.7")


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("Shop app on iPhone", "Shop app on iPhone"),
        ("", ""),
        ("x" * 100_000, "x" * 100),
        (f"{'x' * 99} y", "x" * 99),
        ("日本語の端末", "日本語の端末"),
        ("  a \t b\r\nc\x0b\x0c\x1c\u2028d\u2029 ", "a b c d"),
        ("\x00\x07\x1b[31mred\x7f\x9b", "[31mred"),
        ("\u202egnp.exe\u202c", "gnp.exe"),
        ("\u2066a\u2069\u200eb\u200f\u061cc", "abc"),
        ("a\u200b\u200d\ufeff\u2060\u00adb", "ab"),
        ("\ud800\ue000\U000e0041\uffff", ""),
        ("\u202e \u202c", ""),
        ("<b>&amp;</b>", "<b>&amp;</b>"),  # escaped where it is shown
        (gettext_lazy("Shop app"), "Shop app"),
    ],
)
def test_a_name_is_bounded_whoever_gives_it(monkeypatch, name, stored):
    described = described_as(monkeypatch, lambda request: Device(name, PHONE))
    assert described == Client("198.51.100.0", stored, PHONE)


@pytest.mark.parametrize(
    ("device_class", "stored"),
    [
        (PHONE, PHONE),
        ("tablet", TABLET),
        ("fridge", OTHER),
        ("Phone", OTHER),
        ("", OTHER),
        (None, OTHER),
        ([], OTHER),
        ("x" * 100_000, OTHER),
    ],
)
def test_a_class_is_one_of_ours_whoever_gives_it(monkeypatch, device_class, stored):
    described = described_as(monkeypatch, lambda request: Device("Shop", device_class))
    assert described.device == "Shop"
    assert described.device_class is stored


def fail(request):
    raise LookupError


FAILURES = {
    "raises": fail,
    "takes no request": lambda: Device("Shop", PHONE),
    "answers nothing": lambda request: None,
    "answers a string": lambda request: "Shop",
    "answers a pair": lambda request: ("Shop", PHONE),
    "answers half": lambda request: SimpleNamespace(name="Shop"),
    "has no name": lambda request: Device(None, PHONE),
    "has bytes for a name": lambda request: Device(b"Shop", PHONE),
    "is not callable": "Shop",
}


@pytest.mark.parametrize("answer", FAILURES.values(), ids=FAILURES)
def test_what_fails_to_name_a_device_is_logged_and_fails_nothing_else(
    monkeypatch, caplog, answer
):
    described = described_as(monkeypatch, answer)
    assert described == Client("198.51.100.0", "", OTHER)
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("session_limit", logging.ERROR)
    assert "SESSION_LIMIT_DEVICE" in record.getMessage()
    assert record.exc_info


@override_settings(SESSION_LIMIT_DEVICE="nowhere.describe_device")
def test_neither_does_one_that_cannot_be_imported(caplog):
    assert client(WINDOWS_CHROME) == Client(None, "", OTHER)
    assert len(caplog.records) == 1


def test_the_example_of_the_page_runs(monkeypatch):
    found = {}
    fence = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    for block in fence.findall(PAGE.read_text()):
        exec(block, found)  # noqa: S102
    monkeypatch.setattr(
        sys.modules[__name__], "answer", found["name_device"], raising=False
    )
    assert found["SESSION_LIMIT_DEVICE"] == "shop.devices.name_device"
    with override_settings(SESSION_LIMIT_DEVICE=f"{__name__}.answer"):
        assert client(WINDOWS_CHROME).device == "Chrome on Windows"
        assert client("ShopApp/7.1 (Android 15)") == Client(None, "Shop app", PHONE)


def test_the_bound_is_what_the_database_holds():
    assert UserSession._meta.get_field("device").max_length == MAX_DEVICE
