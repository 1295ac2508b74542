"""Find every address in an answer that a browser, a script or htmx may follow."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlsplit

LEADING = {"href", "src", "action", "formaction", "poster", "cite", "content"}
REDIRECTING = ("Location", "HX-Redirect", "HX-Location", "Refresh", "Content-Location")


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        for name, value in attrs:
            is_next = name == "value" and attributes.get("name") == "next"
            if name in LEADING or name.startswith("data-") or is_next:
                self.found.append(value or "")


def _strings(value):
    if isinstance(value, str):
        # A sentence is not an address.
        return [value] if value.startswith(("/", "\\", "http")) else []
    children = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list):
        return []
    return [found for child in children for found in _strings(child)]


def leads_of(headers, body):
    """Return the addresses in this answer, and those in their ``next``."""
    found = [headers[name] for name in REDIRECTING if name in headers]
    if headers.get("Content-Type", "").startswith("application/json"):
        found += _strings(json.loads(body))
    else:
        page = _Page()
        page.feed(body)
        found += page.found
    onward = [
        value
        for url in found
        for name, value in parse_qsl(urlsplit(url).query)
        if name == "next"
    ]
    return [*found, *onward]
