"""
A client may forge the path of its request, ``next`` and ``Referer``.

No answer of this package leads a browser to another site because of them.
"""

from __future__ import annotations

import html
import re

import pytest

from session_limit.models import PendingSignIn
from session_limit.testing import PHONE
from tests.leads import leads_of
from tests.stories.people import JSON
from tests.whatwg import host_of

HOST = "testserver"
CHOOSER = "/account/sessions/choose/"
ENDED = "/account/sessions/ended/"
PATHS = [
    "//evil.example/x",
    "///evil.example/x",
    "/\\evil.example/x",
    "//evil.example\\@testserver/",
    "//evil.example/members/",
    "/\t/evil.example/x",
    "//\u0435vil.example/x",
]
NEXTS = [
    *PATHS,
    "http://evil.example/x",
    "https:evil.example",
    "http://testserver//evil.example/x",
    "http://testserver@evil.example/",
    "javascript:alert(1)",
    "\x01//evil.example/x",
]


def ask(visitor, path, method="get", **kwargs):
    """Send a request for a path that no client library would send."""
    # The test clients would parse and normalize the path.
    raw = path if visitor.is_async else path.encode().decode("latin-1")
    visitor.client._get_path = lambda parsed: raw
    try:
        return getattr(visitor, method)("/", **kwargs)
    finally:
        del visitor.client._get_path


def leads(response):
    return leads_of(response.headers, response.content.decode())


def assert_stays(response):
    """Assert that each address in the answer keeps a browser on this site."""
    assert response.status_code < 500
    for url in leads(response):
        assert "evil" not in host_of(url, f"http://{HOST}/"), url
        assert host_of(url, f"http://{HOST}/") == HOST, url
        # The browser requests this address next, and a page may link to its path.
        assert not url.startswith(("//", "/\\")), url


def fields(response):
    text = response.content.decode()
    pairs = re.findall(r'name="(\w+)" value="([^"]*)"', text)
    return {name: html.unescape(value) for name, value in pairs}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("at_limit", ["ask", "deny", "displace"])
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_the_path_asked_for(ada, remote, settings, path, at_limit, accept):
    """
    Under ``RemoteUser`` a request for any path signs in. The phone's sign-in is refused
    under ``ask`` and ``deny``, and ends the laptop's session under ``displace``.
    """
    settings.SESSION_LIMIT_AT_LIMIT = at_limit
    laptop, phone = remote("ada", "Firefox"), remote("ada", PHONE)
    laptop.open()
    for visitor in (phone, laptop):
        for method in ("get", "post"):
            response = ask(visitor, path, method, headers={"Accept": accept})
            assert_stays(response)
            assert "evil" not in " ".join(leads(response))


@pytest.mark.parametrize("path", PATHS[:3])
def test_what_the_chooser_leads_on_to(ada, remote, settings, path):
    """The choice leads on to the path of the request that first signed in."""
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    laptop, phone = remote("ada", "Firefox"), remote("ada", PHONE)
    laptop.open()
    assert ask(phone, path).status_code == 303
    page = phone.get(CHOOSER)
    data = {"choice": fields(page)["choice"], "end": str(laptop.row.pk)}
    response = phone.post(CHOOSER, data)
    assert (response.status_code, response["Location"]) == (302, "/")


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_what_was_stored_is_looked_at_again(ada, remote, settings, accept):
    """
    A pending sign-in may be from a release that stored the path without checking it.
    """
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    laptop, phone = remote("ada", "Firefox"), remote("ada", PHONE)
    laptop.open()
    phone.open()
    page = phone.get(CHOOSER)
    PendingSignIn.objects.update(next="//evil.example/x")
    data = {"choice": fields(page)["choice"], "end": str(laptop.row.pk)}
    response = phone.post(CHOOSER, data, headers={"Accept": accept})
    assert_stays(response)
    assert leads(response) == ["/"]


@pytest.mark.parametrize("url", NEXTS)
def test_next_and_the_headers(ada, laptop, phone, settings, url):
    """
    Forge each value that a client may put an address into, for each form of answer.
    """
    laptop.sign_in()
    phone.sign_in()
    # A header has no line breaks, and no characters beyond one byte.
    header = url.encode().decode("latin-1").translate(dict.fromkeys(range(0x20)))
    for headers in (
        {"Referer": header},
        {"Referer": header, **JSON},
        {"HX-Request": "true", "HX-Current-URL": header},
    ):
        for visitor in (laptop, phone):
            twin = visitor.twin()
            assert_stays(twin.get(ENDED, data={"next": url}, headers=headers))
            assert_stays(twin.get(CHOOSER, data={"next": url}, headers=headers))
            assert_stays(twin.post(ENDED, {"next": url}, headers=headers))
            assert_stays(twin.post(twin.path("members"), headers=headers))
            assert_stays(twin.get("/account/sessions/status/", headers=headers))
            assert_stays(twin.get("/account/sessions/end-others/", headers=headers))


@pytest.mark.parametrize("url", NEXTS)
@pytest.mark.parametrize("at_limit", ["ask", "deny"])
def test_next_of_a_sign_in(ada, laptop, phone, settings, at_limit, url):
    settings.SESSION_LIMIT_AT_LIMIT = at_limit
    laptop.sign_in()
    data = {"username": "ada", "password": "correct horse", "next": url}
    response = phone.post(phone.path("login"), data)
    assert response.status_code in {303, 403}
    assert_stays(response)
    if at_limit == "ask":
        page = phone.get(CHOOSER)
        data = {"choice": fields(page)["choice"], "end": str(laptop.row.pk)}
        response = phone.post(CHOOSER, data)
        assert (response.status_code, response["Location"]) == (302, "/")


@pytest.mark.parametrize(
    ("location", "link"),
    [
        # login_required writes this for a request with that path.
        ("/login/?next=//evil.example/x", "/login/?next=%2Frelocated%2F"),
        ("https://evil.example/login/?next=/", "/login/?next=%2Frelocated%2F"),
        ("/\\evil.example/login/?next=/", "/login/?next=%2Frelocated%2F"),
        # What a project has added to the address of its sign-in page stays.
        ("/login/?hint=ada&next=/members/", "/login/?hint=ada&next=/members/"),
        ("/other-login/?next=/members/", "/other-login/?next=/members/"),
    ],
)
def test_the_redirect_of_other_code(ada, laptop, phone, settings, location, link):
    """The page that says why links to the target of the view's redirect."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.Relocating"]
    Relocating.location = location
    laptop.sign_in()
    phone.sign_in()
    response = laptop.get("/relocated/")
    assert response.status_code == 401
    assert_stays(response)
    assert link in leads(response)


def test_the_sign_in_page_of_another_host(ada, laptop, phone, settings):
    """A project may name another host in ``LOGIN_URL`` and redirect to that host."""
    settings.LOGIN_URL = "https://sso.example/login/"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.Relocating"]
    Relocating.location = "https://sso.example/authorize?next=/members/"
    laptop.sign_in()
    phone.sign_in()
    assert Relocating.location in leads(laptop.get("/relocated/"))


class Relocating:
    """Redirect as a project's own code does."""

    sync_capable = True
    async_capable = False
    location = ""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        if request.path == "/relocated/":
            assert not request.user.is_authenticated
            response.status_code = 302
            response.headers["Location"] = self.location
        return response
