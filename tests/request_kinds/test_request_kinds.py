"""
A table of requests, and what the package concludes from their headers.

``recorded.json`` holds the headers that Chromium sent, recorded by ``record.py``. The
others come from the documentation that each comment names.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.test import RequestFactory

from session_limit.client import request_kind

RECORDED = json.loads(Path(__file__).with_name("recorded.json").read_text("utf-8"))

FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
NAVIGATE = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
SCRIPT = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
XHR = {"X-Requested-With": "XMLHttpRequest"}

DOCUMENTED = {
    # Firefox: MDN, "Sec-Fetch-Dest" and "Accept" (default values)
    "Firefox navigation": ("GET", {"Accept": FIREFOX, **NAVIGATE}),
    # Firefox before 129 names no mode "navigate" for a service worker's navigation
    # (bug 1894448).
    "Firefox worker": (
        "GET",
        {"Accept": FIREFOX, "Sec-Fetch-Mode": "same-origin", "Sec-Fetch-Dest": "empty"},
    ),
    "Firefox prefetch": (
        "GET",
        {"Accept": "*/*", "X-Moz": "prefetch", **SCRIPT},
    ),
    # Safari before 16.4, and every browser over HTTP, sends no Fetch Metadata (MDN).
    "old Safari navigation": ("GET", {"Accept": FIREFOX}),
    "old Safari form": ("POST", {"Accept": FIREFOX, "Origin": "http://testserver"}),
    "old Safari fetch": ("GET", {"Accept": "*/*"}),
    "old Safari jQuery": ("GET", {"Accept": "text/html, */*; q=0.01", **XHR}),
    # Safari's Top Hits: WebKit, "X-Purpose: preview"
    "Safari preview": ("GET", {"Accept": FIREFOX, "X-Purpose": "preview"}),
    # Android's WebView sends the app's name.
    "WebView": ("GET", {"Accept": FIREFOX, "X-Requested-With": "org.app", **NAVIGATE}),
    # Libraries: their documentation of request headers
    "Turbolinks 5": ("GET", {"Accept": "text/html, application/xhtml+xml", **SCRIPT}),
    "Swup": (
        "GET",
        {
            "Accept": "text/html, application/xhtml+xml",
            "X-Requested-With": "swup",
            **SCRIPT,
        },
    ),
    "PJAX": ("GET", {"Accept": "text/html, */*; q=0.01", "X-PJAX": "true", **XHR}),
    "Inertia": (
        "GET",
        {
            "Accept": "text/html, application/xhtml+xml",
            "X-Inertia": "true",
            **XHR,
            **SCRIPT,
        },
    ),
    "Alpine AJAX": (
        "GET",
        {"Accept": "text/html, */*", "X-Alpine-Request": "true", **SCRIPT},
    ),
    "htmx history": (
        "GET",
        {
            "Accept": "*/*",
            "HX-Request": "true",
            "HX-History-Restore-Request": "true",
            **SCRIPT,
        },
    ),
    "Unpoly modal": ("GET", {"Accept": "*/*", "X-Up-Target": ".domain-list", **SCRIPT}),
    "Unpoly layer": ("GET", {"Accept": "*/*", "X-Up-Target": ":main", **SCRIPT}),
    # A link checker, and an add-on that reads only the headers of a page
    "HEAD": ("HEAD", {"Accept": FIREFOX}),
    "HEAD of a navigation": ("HEAD", {"Accept": FIREFOX, **NAVIGATE}),
    # Apps and programs
    "curl": ("GET", {"Accept": "*/*"}),
    "API client": ("GET", {"Accept": "application/json"}),
    "WebSocket": (
        "GET",
        {"Sec-Fetch-Mode": "websocket", "Sec-Fetch-Dest": "websocket"},
    ),
}

PAGE, JSON, BACKGROUND, PERSON = "page", "JSON", "background", "person"

# What each request is: a page that a person sees, one whose client wants JSON, one in
# the background, and one that a person may have made by opening an address.
TABLE = {
    "navigation": {PAGE, PERSON},
    "page link": {PAGE, PERSON},
    "page form": {PAGE, PERSON},
    "iframe": {PAGE},
    "embed": {PAGE},
    "fetch": {JSON, BACKGROUND},
    "fetch of JSON": {JSON, BACKGROUND},
    "fetch of HTML": {BACKGROUND},
    "XMLHttpRequest": {JSON, BACKGROUND},
    "jQuery": {JSON, BACKGROUND},
    "EventSource": {JSON, BACKGROUND},
    "image": set(),
    "script": set(),
    "stylesheet": set(),
    "prefetch": {BACKGROUND},
    "prefetched navigation": {BACKGROUND},
    "prerender": {BACKGROUND},
    "worker passes navigation": {PAGE, PERSON},
    "worker adds headers navigation": {PAGE, PERSON},
    "worker copies navigation": {PAGE, PERSON},
    "worker passes fetch": {JSON, BACKGROUND},
    "worker adds headers fetch": {JSON, BACKGROUND},
    "turbo visit": {PAGE, PERSON},
    "turbo form": {PAGE, PERSON},
    "turbo prefetch": {BACKGROUND},
    "turbo frame": {BACKGROUND},
    "htmx2 boost": {PAGE, PERSON},
    "htmx2 form": {PAGE, PERSON},
    "htmx2 fragment": {JSON, BACKGROUND},
    "htmx4 boost": {PAGE, PERSON},
    "htmx4 form": {PAGE, PERSON},
    "htmx4 fragment": {BACKGROUND},
    "unpoly boost": {PAGE, PERSON},
    "unpoly form": {PAGE, PERSON},
    "unpoly fragment": {JSON, BACKGROUND},
    "Firefox navigation": {PAGE, PERSON},
    "Firefox worker": {PAGE, PERSON},
    "Firefox prefetch": {JSON, BACKGROUND},
    "old Safari navigation": {PAGE, PERSON},
    "old Safari form": {PAGE, PERSON},
    "old Safari fetch": {PERSON},
    "old Safari jQuery": {BACKGROUND, PERSON},
    "Safari preview": {BACKGROUND},
    "WebView": {PAGE, PERSON},
    "Turbolinks 5": {PAGE, PERSON},
    "Swup": {PAGE, PERSON},
    "PJAX": {BACKGROUND, PERSON},
    "Inertia": {BACKGROUND},
    "Alpine AJAX": {BACKGROUND},
    "htmx history": {PAGE, PERSON},
    "Unpoly modal": {JSON, BACKGROUND},
    "Unpoly layer": {PAGE, PERSON},
    "HEAD": set(),
    "HEAD of a navigation": set(),
    "curl": {PERSON},
    "API client": {JSON, PERSON},
    "WebSocket": set(),
}
# A browser without Fetch Metadata does not say whether a person opened an address.


def requests():
    for name, recorded in RECORDED["requests"].items():
        yield name, recorded["method"], recorded["headers"]
    for name, (method, headers) in DOCUMENTED.items():
        yield name, method, headers


REQUESTS = {name: (method, headers) for name, method, headers in requests()}


def test_the_table_names_every_request():
    assert set(TABLE) == set(REQUESTS)


@pytest.mark.parametrize("name", TABLE)
def test_the_headers_of_a_request_say_what_it_is(name):
    method, headers = REQUESTS[name]
    request = RequestFactory().generic(method, "/", headers=headers)
    found = {
        PAGE: request_kind.is_acted_on(request),
        JSON: request_kind.wants_json(request),
        PERSON: request_kind.is_opened_by_person(request),
        # The method decides about forms.
        BACKGROUND: request_kind.is_in_background(request),
    }
    assert {kind for kind, is_so in found.items() if is_so} == TABLE[name]


@pytest.mark.parametrize(
    ("name", "is_shown"),
    [
        ("navigation", True),
        ("turbo visit", True),
        ("worker copies navigation", True),
        ("unpoly boost", True),
        # htmx opens another page instead.
        ("htmx2 boost", False),
        ("htmx4 boost", False),
        ("htmx history", False),
        ("fetch", False),
    ],
)
def test_htmx_shows_no_explanation_in_its_own_response(name, is_shown):
    method, headers = REQUESTS[name]
    request = RequestFactory().generic(method, "/", headers=headers)
    assert request_kind.shows_explanation(request) is is_shown


@pytest.mark.parametrize(
    ("method", "headers", "is_cross"),
    [
        ("POST", {"Sec-Fetch-Site": "cross-site", **NAVIGATE}, True),
        ("GET", {"Sec-Fetch-Site": "cross-site", **NAVIGATE}, True),
        ("POST", {"Sec-Fetch-Site": "same-site", **NAVIGATE}, False),
        ("POST", {"Sec-Fetch-Site": "same-origin", **NAVIGATE}, False),
        ("GET", {"Sec-Fetch-Site": "none", **NAVIGATE}, False),
        ("POST", {"Sec-Fetch-Site": "cross-site", **SCRIPT}, False),
        # Without Fetch Metadata
        ("POST", {"Origin": "https://idp.example"}, True),
        ("POST", {"Origin": "null"}, True),
        ("POST", {"Origin": "http://testserver"}, False),
        ("POST", {"Origin": "http://testserver:8000"}, True),
        ("GET", {"Origin": "https://idp.example"}, False),
        ("POST", {}, False),
    ],
)
def test_a_request_may_come_from_a_page_of_another_site(method, headers, is_cross):
    request = RequestFactory().generic(method, "/", headers=headers)
    assert request_kind.is_from_another_site(request) is is_cross
