"""A minimal web browser for the demo, built on the standard library."""

from __future__ import annotations

import json
from email.message import Message
from html.parser import HTMLParser
from http.client import HTTPResponse
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import (
    HTTPCookieProcessor,
    HTTPErrorProcessor,
    ProxyHandler,
    Request,
    build_opener,
)

CSRF = "csrftoken"
TIMEOUT = 30
NAVIGATION = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
}
SCRIPT = {
    "Accept": "application/json",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-origin",
}


# Elements that a browser shows on lines of their own. These are enough for this site.
BLOCKS = {"h1", "h2", "p", "div", "tr", "section", "main", "form"}


class _Reader(HTMLParser):
    """An HTML parser that collects the text, links, times and forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = ""
        self.links: dict[str, str] = {}
        self.times: list[str] = []
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.heading = ""
        self._open: list[str] = []
        self._href: str | None = None
        self._label = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        match tag:
            case "a":
                self._href, self._label = given.get("href"), ""
            case "form":
                self.forms.append((given.get("action", ""), {}))
            case "input" if self.forms and "name" in given:
                self.forms[-1][1][given["name"]] = given.get("value", "")
            case "time":
                self.times.append(given.get("datetime", ""))
        if tag in BLOCKS:
            self.seen += "\n"
        if tag in {"head", "header", "h1"}:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._href is not None:
            self.links[" ".join(self._label.split())] = self._href
            self._href = None
        if tag in BLOCKS:
            self.seen += "\n"
        if tag in self._open:
            self._open.remove(tag)

    def handle_data(self, data: str) -> None:
        if "h1" in self._open:
            self.heading += data
        if not {"head", "header"} & set(self._open):
            self.seen += " ".join(data.split("\n"))
        self._label += data


class Page:
    """
    A response, as a person or a script sees it.

    ``path`` is the path and query of the address after all redirects. ``lines`` has the
    visible lines of text, ``times`` the machine-readable times on the page. ``links``
    maps the text of each link to its address. ``forms`` has the address and the fields
    of each form.
    """

    def __init__(self, response: HTTPResponse) -> None:
        self.status: int = response.status
        self.headers: Message = response.headers
        self.body = response.read().decode()
        address = urlsplit(response.url)
        self.path = address.path + (f"?{address.query}" if address.query else "")
        reader = _Reader()
        reader.feed(self.body)
        lines = [" ".join(line.split()) for line in reader.seen.split("\n")]
        self.lines = [line for line in lines if line]
        self.heading = " ".join(reader.heading.split())
        self.links, self.times, self.forms = reader.links, reader.times, reader.forms

    @property
    def text(self) -> str:
        """The visible text of the page, with its lines joined by spaces."""
        return " ".join(self.lines)

    @property
    def json(self) -> dict[str, Any]:
        """The response as a JSON object, or an empty dictionary if it is not one."""
        try:
            answer = json.loads(self.body)
        except ValueError:
            return {}
        return answer if isinstance(answer, dict) else {}

    @property
    def varies_by_cookie(self) -> bool:
        """Whether the response has the header ``Vary: Cookie``."""
        return "cookie" in ", ".join(self.headers.get_all("Vary", [])).lower()


class _AnswerErrorsToo(HTTPErrorProcessor):
    """A handler that returns error responses, as a browser does, and raises nothing."""

    def http_response(self, request: Request, response: HTTPResponse) -> HTTPResponse:
        if response.status >= 400:
            return response
        answer: HTTPResponse = super().http_response(request, response)
        return answer


class Browser:
    """A simulated browser with its own cookies and its own ``User-Agent`` header."""

    def __init__(self, site: str, user_agent: str) -> None:
        self.site = site
        self._user_agent = user_agent
        self.cookies = CookieJar()
        # Ignore a proxy set in the environment, because the site runs on this machine.
        self._opener = build_opener(
            ProxyHandler({}), HTTPCookieProcessor(self.cookies), _AnswerErrorsToo
        )

    def copy(self) -> Browser:
        """Return another browser with the same cookies, as a cookie thief would use."""
        other = Browser(self.site, self._user_agent)
        for cookie in self.cookies:
            other.cookies.set_cookie(cookie)
        return other

    def open(self, address: str) -> Page:
        """Navigate to ``address``, as a click on a link does, and return the page."""
        return self._send(address, NAVIGATION)

    def call(self, address: str) -> Page:
        """Request ``address`` as a script that accepts JSON does."""
        return self._send(address, SCRIPT)

    def send(self, address: str, data: dict[str, str]) -> Page:
        """Post ``data`` as JSON to ``address``, as a script of this site does."""
        tokens = [cookie.value for cookie in self.cookies if cookie.name == CSRF]
        headers = {"Content-Type": "application/json", "X-CSRFToken": tokens[0] or ""}
        return self._send(address, SCRIPT | headers, json.dumps(data).encode())

    def submit(self, page: Page, action: str = "", **fields: str) -> Page:
        """
        Fill in and submit the form of ``page`` that posts to ``action``. Return the
        next page.

        Raises ``LookupError`` if the page has no such form.
        """
        hidden = dict(page.forms).get(action)
        if hidden is None:
            raise LookupError(f"{page.path} has no form that goes to {action!r}")
        data = urlencode(hidden | fields).encode()
        return self._send(action or page.path, NAVIGATION, data)

    def _send(
        self,
        address: str,
        headers: dict[str, str],
        data: bytes | None = None,
    ) -> Page:
        request = Request(
            urljoin(self.site, address),
            data=data,
            headers={"User-Agent": self._user_agent, **headers},
        )
        with self._opener.open(request, timeout=TIMEOUT) as response:
            return Page(response)
