from __future__ import annotations

import ipaddress

import pytest
from django.http import HttpRequest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from session_limit.client import describe
from session_limit.client.addresses import address_of, mask


def stored(remote="", forwarded=None, **headers):
    request = HttpRequest()
    request.META = {"REMOTE_ADDR": remote, **headers}
    if forwarded is not None:
        request.META["HTTP_X_FORWARDED_FOR"] = forwarded
    assert describe(request).address == address_of(request)
    return address_of(request)


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
    assert stored(remote) == address


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("198.51.100.7", "198.51.100.0"),
        ("2001:db8:1234:5678::9", "2001:db8:1234::"),
        ("::ffff:198.51.100.7", "198.51.100.0"),
        ("::1", "::"),
        ("fe80::1:2:3:4%eth0", "fe80::"),
        # 6to4: the first 48 bits contain the whole of 198.51.100.7.
        ("2002:c633:6407:1::1", "2002:c633:6400::"),
        ("nowhere", None),
    ],
)
def test_an_address_is_truncated_unless_the_settings_say_otherwise(remote, address):
    assert stored(remote) == address
    with override_settings(SESSION_LIMIT_STORE_ADDRESS="truncated"):
        assert stored(remote) == address


@override_settings(SESSION_LIMIT_STORE_ADDRESS="none", SESSION_LIMIT_TRUSTED_PROXIES=1)
def test_no_address_is_kept_where_none_is_wanted():
    assert stored("192.0.2.1", "198.51.100.7") is None


SPOOFED = "203.0.113.66"


@pytest.mark.parametrize(
    ("proxies", "remote", "forwarded", "address"),
    [
        # Without a proxy of ours, a client may have made up the header.
        (0, "198.51.100.7", SPOOFED, "198.51.100.7"),
        (0, "198.51.100.7", None, "198.51.100.7"),
        # With a wrong setting, which a check reports, no header is believed either.
        # One proxy writes the last entry, whatever a client put before it.
        (1, "192.0.2.1", "198.51.100.7", "198.51.100.7"),
        (1, "192.0.2.1", f"{SPOOFED}, 198.51.100.7", "198.51.100.7"),
        (1, "192.0.2.1", f"{SPOOFED},{SPOOFED} ,198.51.100.7:60123", "198.51.100.7"),
        (1, "192.0.2.1", f",, {SPOOFED}, , 198.51.100.7,", "198.51.100.7"),
        (1, "", "198.51.100.7", "198.51.100.7"),  # over a Unix socket
        (1, "", "", None),
        (1, "192.0.2.1", "unknown", None),
        (1, "192.0.2.1", f"{SPOOFED}, unknown", None),
        # Of two proxies, the inner one appends the address of the outer one.
        (2, "192.0.2.1", "198.51.100.7, 192.0.2.2", "198.51.100.7"),
        (2, "192.0.2.1", f"{SPOOFED}, 198.51.100.7, 192.0.2.2", "198.51.100.7"),
        (2, "192.0.2.1", "[2001:db8::1]:443, 192.0.2.2", "2001:db8::1"),
        # With fewer entries than proxies, the client took a shorter way.
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
        assert stored(remote, forwarded) == address


# Parts of addresses, and of what only looks like one
PIECES = st.sampled_from(
    [
        *("1.2.3.4", "::", "::ffff:", "2001:db8::1", "fe80::1", "[", "]", ":", "%"),
        *(",", "/24", "443", "eth0", "unix:", "٣", " ", "\x00", "\r\n", '"'),
    ]
)


@given(st.lists(PIECES, max_size=12).map("".join), st.integers(0, 3))
def test_whatever_is_nearly_an_address_is_one_or_none(forwarded, proxies):
    with override_settings(SESSION_LIMIT_TRUSTED_PROXIES=proxies):
        address = stored("192.0.2.9", forwarded)
    assert address is None or str(ipaddress.ip_address(address)) == address


ELSEWHERE = {
    "HTTP_FORWARDED": f"for={SPOOFED};by={SPOOFED}",
    "HTTP_X_REAL_IP": SPOOFED,
    "HTTP_CLIENT_IP": SPOOFED,
    "HTTP_TRUE_CLIENT_IP": SPOOFED,
    "HTTP_CF_CONNECTING_IP": SPOOFED,
    "HTTP_X_CLUSTER_CLIENT_IP": SPOOFED,
    "HTTP_X_FORWARDED": SPOOFED,
    "REMOTE_HOST": SPOOFED,
}


@pytest.mark.parametrize("proxies", [0, 1, 3])
@override_settings(SESSION_LIMIT_STORE_ADDRESS="full")
def test_no_other_header_is_read(proxies):
    with override_settings(SESSION_LIMIT_TRUSTED_PROXIES=proxies):
        assert stored("198.51.100.7", **ELSEWHERE) == "198.51.100.7"
        forwarded = "198.51.100.8" if proxies else "198.51.100.7"
        assert stored("198.51.100.7", "198.51.100.8", **ELSEWHERE) == forwarded


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("203.0.113.77", "203.0.x.x"),
        ("203.0.113.0", "203.0.x.x"),
        ("::ffff:203.0.113.77", "203.0.x.x"),
        ("2001:db8:1234:5678::9", "2001:db8:…"),
        ("2001:0DB8::", "2001:db8:…"),
        ("fe80::1", "fe80:0:…"),
        ("::", "0:0:…"),
        ("", ""),
        ("nowhere", ""),
        ("<b>", ""),
    ],
)
def test_a_masked_address_tells_a_network_and_no_household(address, masked):
    assert mask(address) == masked
