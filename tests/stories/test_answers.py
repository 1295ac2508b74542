"""A browser learns why its session ended, in the form that the request asks for."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse
from django.utils import timezone

from session_limit import registry
from session_limit.models import UserSession
from tests import stores
from tests.stories.people import (
    JSON,
    NOBODY,
    SIGNED_IN,
    reasons,
    set_cookie,
)

Reason = UserSession.Reason

NO_STORE = "max-age=0, no-cache, no-store, must-revalidate, private"

# Headers of requests to which no person sees the answer.
UNSEEN = [
    pytest.param(
        {"Accept": "*/*", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        id="fetch",
    ),
    pytest.param({"Accept": "*/*", "Sec-Fetch-Mode": "same-origin"}, id="same-origin"),
    pytest.param({"Turbo-Frame": "part", "Sec-Fetch-Mode": "cors"}, id="Turbo frame"),
    pytest.param({"Accept": "*/*", "X-Up-Target": ".part"}, id="Unpoly"),
    pytest.param({"X-PJAX": "true"}, id="PJAX"),
    pytest.param({"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, id="image"),
    pytest.param({"Sec-Fetch-Mode": "websocket"}, id="websocket"),
    pytest.param(
        {"Sec-Fetch-Mode": "navigate", "Sec-Purpose": "prefetch;prerender"},
        id="prerender",
    ),
    pytest.param({"Sec-Fetch-Mode": "navigate", "Purpose": "prefetch"}, id="prefetch"),
    pytest.param({"X-Requested-With": "XMLHttpRequest"}, id="XMLHttpRequest"),
    pytest.param({"Accept": "*/*"}, id="anything"),
    pytest.param(JSON, id="JSON"),
    pytest.param({"HX-Request": "true"}, id="htmx"),
]


@pytest.fixture
def displaced(ada, laptop, phone):
    """Displace the laptop's session by a sign-in on a phone."""
    laptop.sign_in()
    phone.sign_in()
    return laptop


def sign_in_link(response):
    """Return the target of "Use here instead"."""
    page = unescape(response.content.decode())
    (link,) = re.findall(r'href="([^"]+)">Use here instead', page)
    assert urlsplit(link).path == "/login/"
    return link


def next_of(address):
    query = parse_qs(urlsplit(address).query)
    return query["next"][0] if "next" in query else None


def test_the_page(displaced):
    (row,) = UserSession.objects.ended()
    path = displaced.path("members")
    response = displaced.get(f"{path}?page=2")
    assert response.status_code == 401
    assert response["Content-Type"] == "text/html; charset=utf-8"
    assert response["Cache-Control"] == NO_STORE
    page = unescape(response.content.decode())
    assert "Your account was signed in on a phone." in page
    assert "This account can be used on 1 device at a time." in page
    (shown,) = re.findall(r'<time datetime="([^"]+)"', page)
    assert abs(datetime.fromisoformat(shown) - row.ended_at) < timedelta(seconds=1)
    assert next_of(sign_in_link(response)) == f"{path}?page=2"


def test_use_here_instead_leads_back(displaced, phone):
    response = displaced.sign_in(path=sign_in_link(displaced.open()))
    assert response.status_code == 302
    assert response["Location"] == displaced.path("members")
    assert displaced.open().status_code == 200
    assert phone.state == Reason.DISPLACED


def test_the_page_is_told_once_and_then_the_visitor_is_an_ordinary_one(displaced):
    response = displaced.open()
    assert response.status_code == 401
    assert set_cookie(response) == ""
    assert displaced.cookie is None
    assert displaced.open().status_code == 302


def test_the_way_back_from_a_form_that_was_sent(displaced):
    """
    The way back leads to the page of the form, since a POST cannot be repeated by a
    link.
    """
    referer = {"Referer": "http://testserver/basket/?step=2"}
    response = displaced.post("/forbidden/", {"text": "unsaved"}, headers=referer)
    assert response.status_code == 401
    assert next_of(sign_in_link(response)) == "/basket/?step=2"


@pytest.mark.parametrize(
    "referer", ["https://elsewhere.example/", "//elsewhere.example/x", "javascript:x"]
)
def test_the_way_back_never_leads_elsewhere(displaced, referer):
    response = displaced.post("/forbidden/", headers={"Referer": referer})
    assert response.status_code == 401
    assert next_of(sign_in_link(response)) is None
    assert b"elsewhere" not in response.content


def test_json(displaced):
    (row,) = UserSession.objects.ended()
    # The link leads to the page that the script runs in, not to what the script
    # requested.
    response = displaced.open(**JSON, Referer="http://testserver/basket/")
    assert response.status_code == 401
    assert response["Content-Type"] == "application/json"
    assert response["Cache-Control"] == NO_STORE
    answer = response.json()
    ended_at = datetime.fromisoformat(answer.pop("ended_at"))
    assert abs(ended_at - row.ended_at) < timedelta(seconds=1)
    assert answer == {
        "version": 1,
        "code": "session_ended",
        "reason": "displaced",
        "heading": "You're signed out here",
        "detail": "Your account was signed in on a phone. "
        "This account can be used on 1 device at a time.",
        "device_class": "phone",
        "sign_in_url": "/login/?next=%2Fbasket%2F",
        "actions": [
            {
                "step": "use_here",
                "label": "Use here instead",
                "url": "/login/?next=%2Fbasket%2F",
            }
        ],
    }


def test_a_script_that_takes_anything_gets_json(displaced):
    headers = {"Accept": "*/*", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
    response = displaced.open(**headers)
    assert response.json()["code"] == "session_ended"


def test_the_form_that_the_view_chose_where_anything_will_do(displaced):
    """A client such as curl accepts anything, and gets the view's own form."""
    response = displaced.get("/api/", headers={"Accept": "*/*"})
    assert response.status_code == 401
    assert response.json()["code"] == "session_ended"
    response = displaced.get("/forbidden/", headers={"Accept": "*/*"})
    assert response.status_code == 401
    assert b"<h1 " in response.content


def test_htmx(displaced):
    headers = {
        "HX-Request": "true",
        "HX-Current-URL": "http://testserver/basket/?step=2",
        "Accept": "*/*",
    }
    response = displaced.open(**headers)
    assert response.status_code == 401
    assert response.content == b""
    address = response["HX-Redirect"]
    assert urlsplit(address).path == reverse("session_limit:ended")
    assert next_of(address) == "/basket/?step=2"
    assert response["Cache-Control"] == NO_STORE

    # htmx goes to the page that says why, and from there back. There is no loop.
    page = displaced.get(address)
    assert page.status_code == 401
    assert b"Your account was signed in on a phone." in page.content
    assert next_of(sign_in_link(page)) == "/basket/?step=2"
    again = displaced.get(address)
    assert (again.status_code, again["Location"]) == (302, "/basket/?step=2")


# Pages that a script fetches for a person: c14
VISITS = {
    "Turbo": {"Accept": "text/html, application/xhtml+xml", "Sec-Fetch-Mode": "cors"},
    "a service worker": {"Accept": "text/html", "Sec-Fetch-Mode": "same-origin"},
    "a service worker that passes on": {"Sec-Fetch-Mode": "navigate"},
    "Swup": {"X-Requested-With": "swup", "Sec-Fetch-Mode": "cors"},
    "Unpoly": {"Accept": "*/*", "X-Up-Target": "main", "Sec-Fetch-Mode": "cors"},
}


@pytest.mark.parametrize("headers", VISITS.values(), ids=VISITS)
def test_a_page_that_a_script_fetches_explains_as_a_page_and_once(displaced, headers):
    headers = {**headers, "Sec-Fetch-Dest": "empty"}
    response = displaced.open(**headers)
    assert response.status_code == 401
    assert response["Content-Type"].startswith("text/html")
    assert b"Your account was signed in on a phone." in response.content
    assert set_cookie(response) == ""
    assert displaced.open(**headers).status_code == 302


BOOSTED = {
    "Accept": "*/*",
    "HX-Request": "true",
    "HX-Boosted": "true",
    "HX-Current-URL": "http://testserver/public/",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Dest": "empty",
}


@pytest.mark.parametrize(
    "headers",
    [
        BOOSTED,
        {**BOOSTED, "HX-Request-Type": "full", "HX-Boosted": ""},
        {**BOOSTED, "HX-History-Restore-Request": "true", "HX-Boosted": ""},
    ],
    ids=["boost", "htmx 4", "history"],
)
def test_htmx_opens_the_explanation_of_a_page_which_leads_to_that_page(
    displaced, headers
):
    path = displaced.path("members")
    response = displaced.get(f"{path}?page=2", headers=headers)
    assert response.status_code == 401
    assert set_cookie(response) is None
    explanation = displaced.get(response["HX-Redirect"])
    assert explanation.status_code == 401
    assert b"Your account was signed in on a phone." in explanation.content
    assert next_of(sign_in_link(explanation)) == f"{path}?page=2"
    assert displaced.open(**headers).status_code == 302


def test_htmx_leads_back_to_the_page_of_a_form(displaced):
    response = displaced.post("/forbidden/", headers=BOOSTED)
    assert next_of(response["HX-Redirect"]) == "/public/"


def test_htmx_of_another_site(displaced):
    headers = {"HX-Request": "true", "HX-Current-URL": "https://elsewhere.example/x"}
    redirect = displaced.open(**headers)["HX-Redirect"]
    assert "elsewhere" not in redirect
    response = displaced.get(
        reverse("session_limit:ended"),
        query_params={"next": "https://elsewhere.example/x"},
    )
    assert b"elsewhere" not in response.content


def test_the_page_that_says_why_has_nothing_to_say(ada, laptop):
    ended = reverse("session_limit:ended")
    for path, location in (
        (ended, "/"),
        (f"{ended}?next=/public/", "/public/"),
        (f"{ended}?next=https://elsewhere.example/", "/"),
        (f"{ended}?next=http://testserver//elsewhere.example/", "/"),
        (f"{ended}?next=http://testserver/%5Celsewhere.example/", "/"),
    ):
        response = laptop.get(path)
        assert (response.status_code, response["Location"]) == (302, location)
    laptop.sign_in()
    assert laptop.get(ended).status_code == 302
    assert laptop.state == SIGNED_IN


@pytest.mark.parametrize("headers", UNSEEN)
def test_who_does_not_look_is_told_each_time_and_keeps_the_cookie(displaced, headers):
    for _ in range(3):
        response = displaced.open(**headers)
        assert response.status_code == 401
        assert set_cookie(response) is None
    # A person then sees the reason once.
    response = displaced.open(**{"Sec-Fetch-Mode": "navigate"})
    assert response.status_code == 401
    assert b"Your account was signed in on a phone." in response.content
    assert displaced.open().status_code == 302


def test_a_poll_does_not_take_the_cookie_of_the_sign_in_it_overlapped(displaced):
    """The answer to the poll arrives after that of "Use here instead"."""
    poll = displaced.twin()
    displaced.sign_in()
    answer = poll.open(**JSON)
    assert answer.status_code == 401
    assert "sessionid" not in answer.cookies
    assert displaced.state == SIGNED_IN


def test_a_public_page_stays_as_it_is(displaced):
    cookie = displaced.cookie
    response = displaced.get("/public/")
    assert response.status_code == 200
    assert "Vary" not in response
    assert not response.cookies

    response = displaced.get(displaced.path("whoami"))
    assert response.status_code == 200
    assert response.json() == {"user": None}
    assert response["Vary"] == "Cookie"
    assert not response.cookies
    assert displaced.cookie == cookie
    assert displaced.state == Reason.DISPLACED


def test_what_an_ended_visitor_writes_is_kept_and_so_is_the_reason(displaced):
    displaced.post("/cart/", {"cart": "tea"})
    assert displaced.get("/cart/").json() == {"cart": "tea"}
    assert displaced.name is None
    assert displaced.state == Reason.DISPLACED
    response = displaced.open()
    assert response.status_code == 401
    assert b"Your account was signed in on a phone." in response.content
    # The browser has been told, and what was written is still there.
    assert displaced.state == NOBODY
    assert displaced.get("/cart/").json() == {"cart": "tea"}

    displaced.sign_in()
    assert displaced.get("/cart/").json() == {"cart": "tea"}
    assert displaced.state == SIGNED_IN


def test_an_ended_session_shares_nothing_with_what_is_written_next(displaced):
    dead = displaced.cookie
    displaced.write()
    assert displaced.cookie != dead
    assert displaced.stored["writes"] == 1
    assert "_auth_user_id" not in displaced.stored


def test_whoever_is_refused_is_shown_whom_to_ask(ada, laptop, phone, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    assert b"Contact support" not in phone.sign_in().content
    settings.SESSION_LIMIT_SUPPORT_URL = "/help/"
    response = phone.sign_in()
    assert response.status_code == 403
    assert b'href="/help/">Contact support' in response.content


def test_a_page_that_is_not_for_this_user_stays_so(ada, laptop):
    laptop.sign_in()
    response = laptop.get("/forbidden/")
    assert (response.status_code, response.content) == (403, b"Not for you.")
    assert laptop.get("/missing/").status_code == 404


def test_a_missing_page_stays_missing(displaced):
    assert displaced.get("/missing/").status_code == 404


def test_an_ended_session_under_an_own_401_or_403(displaced):
    for path in ("/api/", "/forbidden/"):
        response = displaced.get(path, headers=JSON)
        assert response.status_code == 401
        assert response.json()["reason"] == "displaced"


def test_a_tombstone_that_has_been_pruned(displaced):
    UserSession.objects.ended().delete()
    assert displaced.name is None
    # Nothing says that the session ended, unless the cookie itself holds the session.
    assert displaced.open().status_code == (401 if stores.is_cookie() else 302)
    assert displaced.cookie is None or stores.is_cookie()
    assert stores.read(displaced.cookie) == {}


def test_a_stranger_with_an_unknown_cookie(laptop):
    laptop.cookie = "a" * 32
    response = laptop.open()
    assert response.status_code == 302
    # Django deletes the cookie, or replaces a signed one with an empty one.
    assert laptop.cookie is None or stores.is_cookie()
    assert stores.read(laptop.cookie) == {}


@pytest.mark.parametrize("served", ["sync"])  # the words are the same in both
def test_reasons_are_told_in_words(ada, laptop, settings):
    """Each reason has a text."""
    settings.SESSION_LIMIT = None
    for reason in Reason:
        laptop.sign_in()
        registry.end_all(ada, reason)
        response = laptop.open(**JSON)
        assert response.status_code == 401
        assert response.json()["reason"] == reason
        assert response.json()["detail"].endswith(".")
        assert laptop.open().status_code == 401
    assert len(reasons()) == len(Reason)


# Next steps


def steps(response):
    """Return the links on the page, by their text."""
    page = unescape(response.content.decode())
    links = re.findall(r'<a class="[^"]*" href="([^"]*)">([^<]*)</a>', page)
    return {text: address for address, text in links}


@pytest.mark.parametrize("served", ["sync"])
@pytest.mark.parametrize(
    ("reason", "offered"),
    [
        (Reason.DISPLACED, ["Use here instead", "Not you? Secure your account"]),
        (Reason.PASSWORD_CHANGED, ["Sign in", "Not you? Secure your account"]),
        (Reason.REVOKED, ["Sign in", "Contact support"]),
        (Reason.ACCOUNT_DISABLED, ["Contact support"]),
        (Reason.IDLE, ["Sign in"]),
        (Reason.SIGNED_OUT, ["Sign in"]),
    ],
)
def test_next_steps(ada, laptop, settings, reason, offered):
    settings.SESSION_LIMIT_SECURE_ACCOUNT_URL = "/secure/"
    settings.SESSION_LIMIT_SUPPORT_URL = "/support/"
    laptop.sign_in()
    registry.end_all(ada, reason)
    page = steps(laptop.open())
    assert list(page) == offered
    assert page.get("Contact support", "/support/") == "/support/"
    assert page.get("Not you? Secure your account", "/secure/") == "/secure/"


@pytest.mark.parametrize("served", ["sync"])
def test_next_steps_lead_nowhere_that_is_not_set(ada, laptop):
    for reason in Reason:
        laptop.sign_in()
        registry.end_all(ada, reason)
        assert len(steps(laptop.open())) == 1


def test_revoked_by_its_owner(ada, laptop, phone, settings):
    settings.SESSION_LIMIT = 2
    laptop.sign_in()
    phone.sign_in()
    registry.end_others(ada, phone.row.pk, Reason.REVOKED, by=ada)
    page = laptop.open().content.decode()
    assert "This device was signed out from your account" in page


@pytest.mark.parametrize("served", ["sync"])
def test_who_is_refused_sees_where_they_are_signed_in(ada, laptop, phone, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    settings.SESSION_LIMIT_SUPPORT_URL = "/support/"
    laptop.sign_in()
    headers = {"Referer": "http://testserver/login/?next=/log/"}
    page = phone.sign_in(headers=headers)
    assert page.status_code == 403
    assert "Firefox on Windows" in page.content.decode()
    assert steps(page) == {
        "Try again": "/login/?next=/log/",
        "Contact support": "/support/",
    }


# What was written in a form


def test_what_was_written_into_a_form_is_on_the_page(displaced):
    headers = {"Referer": "http://testserver/basket/"}
    data = {"text": "<b>Mud</b> over clay.", "password": "open sesame"}
    page = displaced.post("/forbidden/", data, headers=headers).content.decode()
    assert "What you had written is below" in page
    assert "&lt;b&gt;Mud&lt;/b&gt; over clay." in page
    assert "open sesame" not in page


def test_nothing_is_said_of_a_form_where_there_was_none(displaced):
    assert b"written" not in displaced.open().content


# What the browser keeps of pages


@pytest.mark.parametrize("served", ["sync"])
@pytest.mark.parametrize("reason", Reason)
def test_back_shows_no_page_to_whoever_is_at_a_device_that_was_left(
    ada, laptop, reason
):
    laptop.sign_in()
    registry.end_all(ada, reason)
    goes_straight_on = {
        Reason.DISPLACED,
        Reason.LIMIT_LOWERED,
        Reason.CREDENTIALS_CHANGED,
    }
    # A poll does not clear it, nor does plain HTTP, over which browsers ignore the
    # header.
    poll = laptop.get(laptop.path("members"), headers=JSON, secure=True)
    assert "Clear-Site-Data" not in poll
    plain = laptop.twin().open()
    assert (plain.status_code, "Clear-Site-Data" in plain) == (401, False)

    page = laptop.get(laptop.path("members"), secure=True)
    assert page.status_code == 401
    expected = None if reason in goes_straight_on else '"cache"'
    assert page.get("Clear-Site-Data") == expected


def test_where_no_address_of_ours_is_included(displaced, settings):
    settings.ROOT_URLCONF = "tests.stories.urls_plain"
    cookie = displaced.cookie
    response = displaced.get("/")
    assert response.status_code == 401
    assert b"Use here instead" in response.content
    displaced.cookie = cookie
    response = displaced.get("/", headers={"HX-Request": "true"})
    assert response.status_code == 401
    assert response["HX-Redirect"] == "/login/"


# What is never shown


def secrets():
    keys = list(stores.kept())
    rows = UserSession.objects.all()
    keys += [row.session_key for row in rows if row.session_key]
    return {*keys, *(row.key_digest for row in rows)}


def test_no_key_and_no_digest_is_ever_shown(ada, laptop, phone, caplog, settings):
    caplog.set_level("INFO")
    settings.SESSION_LIMIT = 2
    known = set()
    shown = []

    def see(response):
        known.update(secrets())
        shown.append(response.content.decode())
        shown.append(str(response.headers))
        request = getattr(response, "wsgi_request", None) or response.asgi_request
        guarded = request.session
        state = guarded.session_limit_state
        shown.append(repr((guarded, request.session_limit, state)))
        shown.append(repr((state.found, state.sign_in, state.response)))
        shown.append(str(guarded))

    for each in (laptop, phone):
        each.sign_in()
        see(each.open())
        see(each.get(each.path("facade")))
    laptop.change_password("another")
    see(laptop.open())
    for headers in ({"Sec-Fetch-Mode": "cors"}, JSON, {"HX-Request": "true"}, {}):
        see(phone.open(**headers))
    settings.SESSION_LIMIT = 1
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    see(phone.sign_in(password="another"))
    see(phone.sign_in(password="another", headers=JSON))
    laptop.sign_out()
    shown.extend(f"{row} {row!r}" for row in UserSession.objects.all())
    shown.append(caplog.text)

    assert len(known) >= (1 if stores.is_cookie() else 4)
    for secret in known:
        for text in shown:
            assert secret not in text
    assert not any(row.session_key for row in UserSession.objects.ended())


def test_neither_address_nor_place_of_who_displaced_is_told(ada, laptop, browser):
    other = browser()
    laptop.sign_in()
    other.sign_in()
    answer = laptop.open(**JSON)
    assert b"127.0.0" not in answer.content
    assert b"Firefox" not in answer.content
    assert b"computer" in answer.content


def test_an_id_of_one_that_ended_long_ago_is_never_adopted(ada, laptop, phone):
    laptop.sign_in()
    key, stored = laptop.cookie, laptop.stored
    phone.sign_in()
    phone.sign_out()
    UserSession.objects.all().delete()
    # The stored session is restored, but its tombstone has been deleted.
    stores.write(key, stored)
    assert laptop.name is None
    assert UserSession.objects.count() == 0
    assert laptop.state is None


def test_time_is_told_by_the_clock_of_the_project(displaced, settings):
    settings.TIME_ZONE = "Asia/Kathmandu"
    page = displaced.open().content.decode()
    (shown,) = re.findall(r'<time datetime="([^"]+)"', page)
    assert timezone.now() - datetime.fromisoformat(shown) < timedelta(minutes=1)
