"""Whatever a client writes as an address, a browser stays on this site."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from django.test import RequestFactory
from django.utils.encoding import iri_to_uri
from hypothesis import example, given, settings
from hypothesis import strategies as st

from session_limit.utils.safe_redirects import (
    MAX_LENGTH,
    local_address,
    own_address,
    with_host,
)
from tests.whatwg import ELSEWHERE, host_of

HOST = "testserver"
REQUEST = RequestFactory().get("/")

# Some parser or browser follows each of these to another host.
ELSEWHERES = [
    "//evil.example/x",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    "/\n/evil.example",
    "\x00//evil.example",
    "\x1f//evil.example",
    " //evil.example",
    "/\r\n/evil.example",
    "/\t\\evil.example",
    "http:evil.example",
    "http:/evil.example",
    "http:\\\\evil.example",
    "http:///evil.example",
    "https:evil.example",
    "http://testserver@evil.example/",
    "http://testserver:80@evil.example/",
    "http://evil.example\\@testserver/",
    "http://evil.example#@testserver/",
    "http://evil.example?@testserver/",
    "http://testserver.evil.example/",
    "http://tests\u0435rver/",
    "http://evil\u3002example/",
    "http://testserver\uff0eevil.example/",
    "http://testserver\u2100/",
    "http://[::1]/",
    "http://[",
    "ftp://testserver/x",
    "javascript:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,x",
    "http://testserver//evil.example/",
    "http://testserver/\\evil.example/",
    "http://testserver/\t/evil.example/",
    "http://testserver///evil.example/",
    "/" + "a" * MAX_LENGTH,
    "/" + "\u00e9" * (MAX_LENGTH // 6 + 1),
    # These lead to another site once a server has decoded them.
    "/%2Fevil.example/",
    "/%5Cevil.example/",
    "/%09/evil.example/",
    "http://testserver/%2fevil.example/",
    # These lead to another site once the dots have been resolved.
    "/.//evil.example/",
    "/..//evil.example/",
    "/a/..//evil.example/",
    "/%2e//evil.example/",
    "/.%2E/%2Fevil.example/",
    "/.\\/evil.example/",
    "http://testserver/.//evil.example/",
    "/half-a-character-\ud800",
    "evil.example",
    "",
]
LOCAL = {
    "/members/": "/members/",
    "/members/?q=a%20b&next=//evil.example#top": (
        "/members/?q=a%20b&next=//evil.example#top"
    ),
    "http://testserver/members/?q=1#x": "/members/?q=1#x",
    "/a b/": "/a%20b/",
    "/caf\u00e9/?q=\u65e5\u672c": "/caf%C3%A9/?q=%E6%97%A5%E6%9C%AC",
    "/x?q=a\\b": "/x?q=a%5Cb",
    "/@evil.example/": "/@evil.example/",
    "/.well-known/x..y//...//": "/.well-known/x..y//...//",
    "/a/../b/./": "/a/../b/./",
    "/a/?next=/../": "/a/?next=/../",
    "/members//twice/": "/members//twice/",
}


@pytest.mark.parametrize("url", ELSEWHERES)
def test_what_leads_elsewhere_is_refused(url):
    assert local_address(REQUEST, url) is None


@pytest.mark.parametrize(("url", "address"), LOCAL.items())
def test_what_is_local_stays(url, address):
    assert local_address(REQUEST, url) == address
    assert host_of(address) == HOST


def test_a_plain_http_page_is_none_of_a_secure_sites():
    request = RequestFactory().get("/", secure=True)
    assert local_address(request, "http://testserver/x") is None
    assert local_address(request, "https://testserver/x") == "/x"


def test_a_host_that_django_refuses_is_not_passed_on(settings):
    settings.ALLOWED_HOSTS = ["testserver"]
    address = local_address(REQUEST, "/x/")
    assert with_host(REQUEST, address) == "http://testserver/x/"
    request = RequestFactory().get("/", HTTP_HOST="evil.example")
    assert with_host(request, address) is None


def test_a_host_that_django_refuses_owns_no_address(settings):
    settings.ALLOWED_HOSTS = ["testserver"]
    request = RequestFactory().get("/", HTTP_HOST="evil.example")
    assert local_address(request, "http://evil.example/x") is None
    assert local_address(request, "/x") == "/x"


@pytest.mark.parametrize("path", ["//evil.example/x", "///evil.example", "//"])
def test_the_requests_own_path_is_a_clients_choice(path):
    request = RequestFactory().get("/")
    request.path = path
    assert own_address(request) is None


def test_the_requests_own_path_and_query():
    request = RequestFactory().get("/caf\u00e9/", {"q": "a\\b"})
    assert own_address(request) == "/caf%C3%A9/?q=a%5Cb"


# Attackers combine these. Each means something to one parser or another.
PIECES = st.sampled_from(
    [
        *("/", "\\", "//", "@", ":", "?", "#", ".", "..", ";", "&", "=", "*", "'", '"'),
        *("%2f", "%5c", "%09", "%00", "\t", "\n", "\r", "\x00", "\x1f", "\x7f"),
        *("\x85", " ", "\u3000", "\u2028", "\ud800", "\u0435", "\uff0f", "\uff0e"),
        *("\u3002", "\u2044", "\u2100", "xn--e1a", "a", "a" * 500, "account", "<"),
        *("http", "https", "http:", "HTTP://", "javascript:", "file:", "blob:"),
        *("evil.example", HOST, HOST.upper(), f"{HOST}:80", f"{HOST}.", "[::1]", "["),
    ]
)
ADDRESSES = st.one_of(
    st.lists(PIECES, max_size=9).map("".join),
    st.text(max_size=60),
    st.text(max_size=40).map("//".__add__),
    st.text(max_size=40).map(f"http://{HOST}".__add__),
    st.text(max_size=40).map("/\\".__add__),
)


@settings(max_examples=2000, deadline=None)
@given(ADDRESSES)
@example(f"http://{HOST}/\\evil.example")
@example(f"http://{HOST}//evil.example")
def test_a_browser_stays_here(url):
    address = local_address(REQUEST, url)
    if address is None:
        return
    assert address.startswith("/")
    assert address.isascii()
    assert address.isprintable()
    assert len(address) <= MAX_LENGTH
    assert host_of(address) == HOST
    assert host_of(url) == HOST
    # A stored address is checked again before it is followed.
    assert local_address(REQUEST, address) == address


PRINTABLE = st.characters(codec="utf-8", exclude_categories=["Cc"])


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.text(PRINTABLE, min_size=1, max_size=8), min_size=1, max_size=4),
    st.text(max_size=40),
)
def test_an_ordinary_address_is_followed(segments, query):
    path = "/" + "/".join(quote(segment, safe="") for segment in segments)
    url = f"{path}?q={quote(query)}"
    # Some parsers take the decoded "/ /evil.example" for "//evil.example".
    is_followed = "/".join(segments).lstrip(" ")[:1] not in {"/", "\\"}
    assert local_address(REQUEST, url) == (iri_to_uri(url) if is_followed else None)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("/x", HOST),
        ("x", HOST),
        ("?x", HOST),
        ("http:x", HOST),
        ("http:/x", HOST),
        ("//evil.example/x", "evil.example"),
        ("/\\evil.example", "evil.example"),
        ("\t/\n/evil.example", "evil.example"),
        ("http:///evil.example", "evil.example"),
        ("https:evil.example", "evil.example"),
        (f"http://{HOST}@evil.example", "evil.example"),
        (f"http://evil.example\\@{HOST}", "evil.example"),
        ("javascript:x", ELSEWHERE),
    ],
)
def test_the_judge(url, host):
    """Fails if the oracle of these tests does not recognize another host."""
    assert host_of(url) == host
