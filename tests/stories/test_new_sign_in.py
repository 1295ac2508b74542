"""
Ada signs in from a browser that she has not used before.

Each of her other sessions shows a message on its next page, once. A cookie in the
browser remembers which accounts have used it.
"""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core import signing
from django.db import connection
from django.test import Client
from django.utils import formats, timezone
from django.utils.timezone import localtime

from session_limit import registry
from session_limit.client import browser_cookie
from session_limit.models import UserSession
from session_limit.registry.activity import mark_notified
from session_limit.registry.sign_ins import MAX_NOTICES
from session_limit.rules import Rules
from session_limit.signals import session_started
from tests.stories import views
from tests.stories.people import JSON, live, make_user, statements, writes
from tests.stories.urls import urlpatterns as project

# The project's addresses without those of this package.
WITHOUT_OURS = tuple(each for each in project if "account" not in str(each.pattern))


@pytest.fixture(autouse=True)
def several_devices(settings):
    settings.SESSION_LIMIT = 20


@pytest.fixture
def heard():
    """Collect whether the signal calls each sign-in's browser new, in order."""
    said = []

    def hear(is_new_browser, **kwargs):
        said.append(is_new_browser)

    session_started.connect(hear)
    yield said
    session_started.disconnect(hear)


def messages(visitor):
    """Return the messages that this browser's next page shows."""
    return visitor.get("/messages/", headers=JSON).json()


def told(visitor):
    """Open a page, and return the messages that follow it."""
    assert visitor.open().status_code == 200
    return messages(visitor)


def cookie_of(visitor):
    morsel = visitor.client.cookies.get(browser_cookie.COOKIE)
    return morsel.value if morsel else None


def clear_cookies(visitor):
    visitor.client.cookies.clear()


# Which sessions are told, and of what


def test_another_session_is_told_once(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    [message] = told(laptop)
    assert message.startswith("New sign-in: Chrome on Android, ")
    assert told(laptop) == []
    assert told(phone) == []


def test_it_tells_device_and_time_and_nothing_else(ada, laptop, phone, settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    settings.SESSION_LIMIT_STORE_ADDRESS = "full"
    settings.DATETIME_FORMAT = "H:i"
    settings.ROOT_URLCONF = WITHOUT_OURS
    laptop.sign_in()
    phone.sign_in()
    assert phone.row.address
    time = formats.date_format(localtime(phone.row.created_at), "DATETIME_FORMAT")
    [message] = told(laptop)
    assert message.strip() == f"New sign-in: Chrome on Android, {time} JST."


def test_every_other_session_is_told(ada, laptop, phone, tablet):
    for visitor in (laptop, phone, tablet):
        visitor.sign_in()
    for visitor in (laptop, phone):
        [message] = told(visitor)
        assert "Safari on iPad" in message
    assert told(tablet) == []


def test_without_a_limit_too(ada, laptop, phone, settings):
    settings.SESSION_LIMIT = None
    laptop.sign_in()
    phone.sign_in()
    assert len(told(laptop)) == 1
    assert told(phone) == []


def test_in_every_scope(ada, laptop, phone, settings):
    settings.SESSION_LIMIT = 1
    settings.SESSION_LIMIT_RULES = f"{__name__}.ByDevice"
    laptop.sign_in()
    phone.sign_in()
    assert len(told(laptop)) == 1


class ByDevice(Rules):
    def scope(self, user, request):
        return "phone" if "Mobile" in request.headers["User-Agent"] else ""


def test_no_other_account_is_told(ada, bob, laptop, phone):
    laptop.sign_in("bob")
    phone.sign_in("ada")
    assert told(laptop) == []


def test_what_is_displaced_is_told_why_instead(ada, laptop, phone, settings):
    settings.SESSION_LIMIT = 1
    laptop.sign_in()
    phone.sign_in()
    assert laptop.state == "displaced"
    assert [row.notice for row in UserSession.objects.all()] == [None, None]


def test_a_refused_sign_in_is_no_news(ada, laptop, phone, settings, heard):
    settings.SESSION_LIMIT = 1
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    phone.sign_in()
    assert told(laptop) == []
    assert cookie_of(phone) is None
    assert heard == [True]


def test_one_that_was_asked_what_to_sign_out(
    ada, laptop, phone, tablet, settings, heard
):
    """
    The sessions that stay are told once it is admitted, and the browser is known from
    then on.
    """
    settings.SESSION_LIMIT = 2
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    laptop.sign_in()
    tablet.sign_in()
    told(laptop)
    phone.sign_in()
    assert told(laptop) == []
    assert cookie_of(phone) is None
    page = phone.get("/account/sessions/choose/")
    [code] = re.findall(r'name="choice" value="(\w+)"', page.content.decode())
    data = {"choice": code, "end": str(tablet.row.pk)}
    assert phone.post("/account/sessions/choose/", data).status_code == 302
    assert len(told(laptop)) == 1
    assert cookie_of(phone) is not None
    assert heard == [True] * 3


def test_of_two_the_newer_is_told(ada, laptop, phone, tablet):
    for visitor in (laptop, phone, tablet):
        visitor.sign_in()
    [message] = told(laptop)
    assert "Safari on iPad" in message


def test_one_that_has_ended_since_is_told_still(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    phone.sign_out()
    assert len(told(laptop)) == 1


def test_one_that_was_pruned_is_not(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    phone.row.delete()
    assert told(laptop) == []
    assert laptop.row.notice is None


def test_a_device_without_a_name(ada, laptop, browser):
    laptop.sign_in()
    browser("").sign_in()
    [message] = told(laptop)
    assert "Unknown device" in message


# Where "Wasn't you?" leads


def test_it_leads_to_your_sessions(ada, laptop, phone, settings):
    settings.SESSION_LIMIT_SECURE_ACCOUNT_URL = "/secure/"
    laptop.sign_in()
    phone.sign_in()
    [message] = told(laptop)
    assert '<a href="/account/sessions/">Wasn\'t you?</a>' in message
    # The link opens a page, and changes nothing.
    assert laptop.get("/account/sessions/").status_code == 200
    assert len(live(ada)) == 2


def test_it_leads_to_where_the_account_is_secured(ada, laptop, phone, settings):
    settings.ROOT_URLCONF = WITHOUT_OURS
    settings.SESSION_LIMIT_SECURE_ACCOUNT_URL = '/secure/?a="&b='
    laptop.sign_in()
    phone.sign_in()
    [message] = told(laptop)
    assert 'href="/secure/?a=&quot;&amp;b="' in message


def test_it_leads_nowhere(ada, laptop, phone, settings):
    settings.ROOT_URLCONF = WITHOUT_OURS
    laptop.sign_in()
    phone.sign_in()
    [message] = told(laptop)
    assert "<" not in message


def test_nothing_in_it_is_unescaped(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    UserSession.objects.update(device="<script>")
    [message] = told(laptop)
    assert "New sign-in: &lt;script&gt;, " in message


# When they are told


@pytest.mark.parametrize(
    "headers",
    [
        JSON,
        {"Accept": "text/html", "X-Requested-With": "XMLHttpRequest"},
        {"Accept": "text/html", "HX-Request": "true"},
        {"Accept": "text/html", "Sec-Fetch-Mode": "cors"},
        {"Accept": "text/html", "Sec-Purpose": "prefetch"},
        {"Accept": "image/png", "Sec-Fetch-Mode": "no-cors"},
    ],
    ids=["json", "script", "htmx", "fetch", "prefetch", "image"],
)
def test_what_no_person_sees_tells_nothing(ada, laptop, phone, headers):
    laptop.sign_in()
    phone.sign_in()
    laptop.open(**headers)
    assert messages(laptop) == []
    assert len(told(laptop)) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        {"Accept": "text/html", "Sec-Fetch-Mode": "same-origin"},
        {"Accept": "*/*", "HX-Request": "true", "HX-Boosted": "true"},
        {"Accept": "*/*", "X-Up-Target": "main"},
    ],
    ids=["Turbo", "service worker", "htmx boost", "Unpoly"],
)
def test_a_page_that_a_script_fetches_tells(ada, laptop, phone, headers):
    laptop.sign_in()
    phone.sign_in()
    laptop.open(**headers)
    assert len(messages(laptop)) == 1


@pytest.mark.parametrize("page", ["/forbidden/", "/write/", "/public/"])
def test_what_is_no_page_for_members_tells_nothing(ada, laptop, phone, page):
    laptop.sign_in()
    phone.sign_in()
    laptop.get(page)
    assert messages(laptop) == []
    assert len(told(laptop)) == 1


def test_a_redirect_takes_it_along(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    assert laptop.sign_in().status_code == 302
    assert len(messages(laptop)) == 1


def test_without_messages_it_waits(ada, laptop, phone, settings):
    everything = settings.MIDDLEWARE
    laptop.sign_in()
    phone.sign_in()
    settings.MIDDLEWARE = [name for name in everything if "messages" not in name]
    assert laptop.open().status_code == 200
    settings.MIDDLEWARE = everything
    assert len(told(laptop)) == 1


def test_of_two_requests_at_once_one_tells(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    tab = laptop.twin()
    views.meanwhile.append(tab.open)
    page = "/awaited/" if laptop.is_async else "/waiting/"
    assert laptop.get(page).status_code == 200
    assert len(messages(tab)) == 1
    assert messages(laptop) == []


def test_what_came_while_one_was_told_is_not_lost(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    row, newer = laptop.row, phone.row
    assert not mark_notified(row.pk, row.pk)
    assert laptop.row.notice == newer.pk
    assert mark_notified(row.pk, newer.pk)
    assert not mark_notified(row.pk, newer.pk)


STORAGES = [
    f"django.contrib.messages.storage.{name}"
    for name in ("cookie.CookieStorage", "session.SessionStorage")
] + ["django.contrib.messages.storage.fallback.FallbackStorage"]


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("debug", [True, False])
def test_what_the_project_says_is_kept(ada, laptop, phone, settings, storage, debug):
    settings.MESSAGE_STORAGE = storage
    settings.DEBUG = debug
    laptop.sign_in()
    phone.sign_in()
    laptop.get("/say/")
    *others, ours = messages(laptop)
    assert others == ["Saved.", "Sent."]
    assert "New sign-in" in ours
    assert messages(laptop) == []


@pytest.mark.parametrize("storage", STORAGES)
def test_what_the_page_has_shown_is_not_shown_again(
    ada, laptop, phone, settings, storage
):
    settings.MESSAGE_STORAGE = storage
    laptop.sign_in()
    phone.sign_in()
    laptop.get("/say/", headers=JSON)
    response = laptop.get("/say/?show")
    assert response.content.decode() == "Saved., Sent., Saved."
    sent, ours = messages(laptop)
    assert sent == "Sent."
    assert "New sign-in" in ours


@pytest.mark.parametrize("storage", STORAGES)
def test_what_waited_is_kept(ada, laptop, phone, settings, storage):
    settings.MESSAGE_STORAGE = storage
    laptop.sign_in()
    phone.sign_in()
    laptop.get("/say/", headers=JSON)
    assert len(told(laptop)) == 3


def test_a_template_of_the_projects(ada, laptop, phone, settings, tmp_path):
    (tmp_path / "session_limit").mkdir()
    template = tmp_path / "session_limit" / "new_sign_in_message.html"
    template.write_text("Hello from {{ device }}.")
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path, *engine["DIRS"]]}]
    laptop.sign_in()
    phone.sign_in()
    assert told(laptop) == ["Hello from Chrome on Android."]


# Which browsers are known


def test_a_known_browser_is_no_news(ada, laptop, phone, heard):
    laptop.sign_in()
    phone.sign_in()
    told(laptop)
    phone.sign_out()
    phone.sign_in()
    assert told(laptop) == []
    assert heard == [True, True, False]


def test_who_clears_cookies_is_new_again(ada, laptop, phone, heard):
    laptop.sign_in()
    phone.sign_in()
    told(laptop)
    phone.sign_out()
    clear_cookies(phone)
    phone.sign_in()
    assert len(told(laptop)) == 1
    assert heard == [True, True, True]


def test_signing_in_again_is_no_news(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    told(laptop)
    phone.sign_in()
    assert told(laptop) == []


def test_a_browser_of_two_people(ada, bob, laptop, phone, tablet, heard):
    laptop.sign_in("ada")
    phone.sign_in("bob")
    tablet.sign_in("ada")
    tablet.sign_in("bob")
    assert len(told(laptop)) == len(told(phone)) == 1
    tablet.sign_in("ada")
    tablet.sign_in("bob")
    assert told(laptop) == told(phone) == []
    assert heard == [True] * 4 + [False] * 2


def test_a_browser_remembers_those_who_used_it_last(ada, phone):
    phone.sign_in("ada")
    others = [make_user(f"user{n}") for n in range(browser_cookie.MAX_USERS)]
    for other in others:
        phone.sign_in(other.get_username())
    assert len(cookie_of(phone)) < 500
    assert is_new(phone, ada)
    assert [is_new(phone, other) for other in others] == [False] * len(others)


def is_new(visitor, user):
    """Return whether ``user`` has not signed in from this browser before."""
    seen = []

    def hear(is_new_browser, **kwargs):
        seen.append(is_new_browser)

    session_started.connect(hear)
    try:
        twin = visitor.twin()
        twin.cookie = None
        twin.sign_in(user.get_username())
    finally:
        session_started.disconnect(hear)
    return seen == [True]


def test_the_cookie_tells_nothing(ada, phone):
    phone.sign_in()
    data = signing.loads(cookie_of(phone), salt=browser_cookie.SALT)
    assert data.keys() == {"b", "u"}
    assert len(data["b"]) == 22
    [digest] = data["u"]
    assert len(digest) == 16


def test_the_same_person_looks_different_in_every_browser(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    mine, theirs = (
        signing.loads(cookie_of(each), salt=browser_cookie.SALT)
        for each in (laptop, phone)
    )
    assert mine["b"] != theirs["b"]
    assert mine["u"] != theirs["u"]


def attacks(genuine):
    yield "nothing", ""
    yield "words", "let me in"
    yield "cut", genuine[:-1]
    yield "longer", genuine + "x"
    yield "another's payload", "e30" + genuine[genuine.index(":") :]
    yield "other salt", signing.dumps({"b": "b", "u": []}, salt="session_limit.choice")
    yield (
        "other key",
        signing.dumps({"b": "b", "u": []}, key="x", salt=browser_cookie.SALT),
    )
    yield "large", "x" * 10_000
    yield "large and signed by nobody", ".eJw" + "x" * 10_000 + ":1:x"
    yield "not ASCII", "\u00e9:\u00e9:\u00e9"
    yield "null", "\0:\0:\0"


def test_a_cookie_that_is_not_ours_is_unknown(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    for name, value in attacks(cookie_of(phone)):
        told(laptop)
        phone.sign_out()
        phone.client.cookies[browser_cookie.COOKIE] = value
        assert phone.sign_in().status_code == 302, name
        assert len(told(laptop)) == 1, name
        assert not is_new(phone, ada), name


def test_another_persons_cookie_is_unknown(ada, bob, laptop, phone, tablet):
    """A browser that knows another account is new to this one."""
    laptop.sign_in("ada")
    tablet.sign_in("bob")
    phone.client.cookies[browser_cookie.COOKIE] = cookie_of(tablet)
    phone.sign_in("ada")
    assert len(told(laptop)) == 1


def test_a_browser_is_forgotten_after_a_year(ada, phone, monkeypatch):
    phone.sign_in()
    assert not is_new(phone, ada)
    now = signing.time.time() + timedelta(days=366).total_seconds()
    monkeypatch.setattr(signing.time, "time", lambda: now)
    assert is_new(phone, ada)


def test_a_replaced_secret_forgets_no_browser(ada, phone, settings):
    phone.sign_in()
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    assert not is_new(phone, ada)
    phone.sign_in()
    settings.SECRET_KEY_FALLBACKS = []
    assert not is_new(phone, ada)
    data = signing.loads(cookie_of(phone), salt=browser_cookie.SALT)
    assert len(data["u"]) == 1


def test_the_cookies_attributes(ada, laptop, settings):
    morsel = laptop.sign_in().cookies[browser_cookie.COOKIE]
    assert (morsel["httponly"], morsel["samesite"]) == (True, "Lax")
    assert morsel["max-age"] == timedelta(days=365).total_seconds()
    assert (morsel["path"], morsel["domain"], morsel["secure"]) == ("/", "", "")
    settings.SESSION_COOKIE_SECURE = True
    settings.SESSION_COOKIE_DOMAIN = "example.com"
    settings.SESSION_COOKIE_PATH = "/shop/"
    settings.SESSION_COOKIE_SAMESITE = "None"
    morsel = laptop.twin().sign_in().cookies[browser_cookie.COOKIE]
    assert morsel["secure"] is True
    assert morsel["samesite"] == "None"
    assert (morsel["path"], morsel["domain"]) == ("/shop/", "example.com")


def test_no_other_answer_sets_it(ada, laptop):
    assert browser_cookie.COOKIE not in laptop.write().cookies
    wrong = laptop.sign_in(password="wrong")
    assert browser_cookie.COOKIE not in wrong.cookies
    laptop.sign_in()
    for response in (laptop.open(), laptop.write(), laptop.sign_out()):
        assert browser_cookie.COOKIE not in response.cookies


def test_a_sign_in_that_failed_is_not_remembered(ada, laptop, settings):
    laptop.client.raise_request_exception = False
    response = laptop.post("/sign-in-then-fail/", {"name": "ada"})
    assert response.status_code == 500
    assert browser_cookie.COOKIE not in response.cookies


def test_switched_off(ada, laptop, phone, settings, heard):
    settings.SESSION_LIMIT_NEW_SIGN_IN = "none"
    for visitor in (laptop, phone):
        assert browser_cookie.COOKIE not in visitor.sign_in().cookies
    assert told(laptop) == []
    assert heard == [False, False]


# Impersonation


class ForAdministrators(Rules):
    def exempt(self, user, request):
        return "X-Administrator" in request.headers


def test_impersonation_is_no_news_and_hears_none(
    ada, laptop, phone, browser, settings, heard
):
    settings.SESSION_LIMIT_RULES = f"{__name__}.ForAdministrators"
    admin = browser(headers={"X-Administrator": "1"})
    laptop.sign_in()
    response = admin.sign_in()
    assert browser_cookie.COOKIE not in response.cookies
    assert told(laptop) == []
    phone.sign_in()
    assert told(admin) == []
    assert len(told(laptop)) == 1
    assert heard == [True, False, True]


# Other ways to sign in


def test_a_browser_from_before_the_installation(ada, laptop, phone, heard):
    """The browser is known from its first request on, and no session is told of it."""
    laptop.sign_in()
    phone.post("/by-hand/", {"name": "ada"})
    phone.open()
    assert cookie_of(phone) is not None
    assert told(laptop) == []
    phone.sign_out()
    phone.sign_in()
    assert told(laptop) == []
    assert heard == [True, False, False]


def test_where_no_browser_can_be_known_there_is_no_news(ada, laptop, heard):
    """
    The test client's ``force_login()`` has no browser to remember anything, for
    example.
    """
    laptop.sign_in()
    Client().force_login(ada)
    assert told(laptop) == []
    assert heard == [True, False]


# What it costs


def cost(visitor):
    with statements() as ran:
        assert visitor.sign_in().status_code == 302
    return len(ran)


@pytest.mark.parametrize("limit", [1, 2, None])
def test_what_a_sign_in_costs(ada, browser, settings, limit):
    """
    A sign-in takes one more statement if there are sessions to tell, except on
    PostgreSQL, where the statement that records the session tells them. Without a limit
    it takes another, because nothing else reads them. A known browser that sends no
    session cookie may have an earlier session among them.
    """
    settings.SESSION_LIMIT = limit
    costs = {}
    for setting in ("none", "message"):
        settings.SESSION_LIMIT_NEW_SIGN_IN = setting
        first, phone = browser(), browser()
        costs[setting] = [cost(first), cost(phone)]
        phone.sign_out()
        costs[setting].append(cost(phone))
        registry.end_all(ada, UserSession.Reason.REVOKED)
    more = [new - old for new, old in zip(costs["message"], costs["none"], strict=True)]
    telling = 0 if connection.vendor == "postgresql" else 1
    assert more == {1: [0, 0, 0], 2: [0, telling, 0], None: [1, 1 + telling, 1]}[limit]


def test_what_telling_costs(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    ran = []
    for _ in range(2):
        with statements() as each:
            laptop.open()
        ran.append(each)
    assert len(ran[0]) == len(ran[1]) + 2
    assert len(writes(ran[0])) == 1
    assert writes(ran[1]) == []


def test_no_more_sessions_are_told_than_a_person_looks_at(ada, phone, settings):
    settings.SESSION_LIMIT = None
    later = timezone.now() + timedelta(days=1)
    UserSession.objects.bulk_create(
        UserSession(user=ada, expires_at=later) for _ in range(MAX_NOTICES + 5)
    )
    phone.sign_in()
    noticed = UserSession.objects.filter(notice=phone.row.pk)
    assert noticed.count() == MAX_NOTICES
