"""Under ``ask``, a person at the limit is not signed in until they have chosen."""

from __future__ import annotations

import re
from html import unescape
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in
from django.urls import reverse

from session_limit import registry
from session_limit.models import PendingSignIn, UserSession
from session_limit.pages.chooser import COOKIE
from session_limit.testing import PHONE
from tests.stories.people import (
    JSON,
    NOBODY,
    PASSWORD,
    SIGNED_IN,
    Visitor,
    live,
    make_user,
    reasons,
    set_cookie,
)

Reason = UserSession.Reason

HTML = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
CHOOSE = "/account/sessions/choose/"


@pytest.fixture(autouse=True)
def ask(settings):
    settings.SESSION_LIMIT_AT_LIMIT = "ask"


@pytest.fixture
def asked(ada, laptop, phone):
    """Sign in on the laptop, and then on the phone, which is asked what to sign out."""
    laptop.sign_in()
    response = phone.sign_in(headers=HTML)
    assert (response.status_code, response["Location"]) == (303, CHOOSE)
    return phone


def code(page):
    (found,) = re.findall(r'name="choice" value="(\w+)"', page.content.decode())
    return found


def open_chooser(visitor):
    page = visitor.get(CHOOSE, headers=HTML)
    assert page.status_code == 200, page.content
    return page


def choose(visitor, *ids, page=None, headers=HTML, **more):
    page = page or open_chooser(visitor)
    data = {"choice": code(page), "end": [str(id) for id in ids], **more}
    return visitor.post(CHOOSE, data, headers=headers)


# Choices that sign in


def test_who_is_asked_is_nobody(asked, laptop):
    assert asked.name is None
    assert asked.state == NOBODY
    assert asked.stored == {}
    assert laptop.state == SIGNED_IN
    assert len(live()) == 1
    assert asked.client.cookies[COOKIE]["httponly"]
    assert asked.client.cookies[COOKIE]["samesite"] == "Lax"


@pytest.mark.parametrize(
    ("session", "own"),
    [("Lax", "Lax"), ("Strict", "Lax"), ("None", "None"), (False, "Lax")],
)
def test_its_cookie_goes_along_where_the_sessions_does(
    ada, laptop, phone, settings, session, own
):
    settings.SESSION_COOKIE_SAMESITE = session
    laptop.sign_in()
    phone.sign_in(headers=HTML)
    assert phone.client.cookies[COOKIE]["samesite"] == own


def test_choosing_ends_that_one_and_goes_on(asked, laptop):
    response = choose(asked, laptop.row.pk)
    assert (response.status_code, response["Location"]) == (302, "/")
    assert asked.state == SIGNED_IN
    assert laptop.state == Reason.DISPLACED
    assert len(live()) == 1
    assert not PendingSignIn.objects.exists()
    assert COOKIE not in asked.client.cookies


def test_the_page_lists_what_can_be_chosen(asked, laptop):
    page = unescape(open_chooser(asked).content.decode())
    assert "Choose a device to sign out" in page
    assert "Firefox on Windows" in page
    assert str(laptop.row.pk) in page
    assert page.count('type="radio"') == 1
    assert laptop.row.address not in page


def test_the_least_recently_active_is_preselected(ada, laptop, phone, tablet, settings):
    settings.SESSION_LIMIT = 2
    laptop.sign_in()
    tablet.sign_in()
    phone.sign_in()
    page = open_chooser(phone).content.decode()
    (selected,) = re.findall(r'value="([^"]+)"[^>]* checked', page)
    assert selected == str(laptop.row.pk)


def test_as_many_are_chosen_as_a_lowered_limit_leaves_no_place_for(
    ada, laptop, phone, tablet, settings
):
    settings.SESSION_LIMIT = 3
    for visitor in (laptop, tablet):
        visitor.sign_in()
    settings.SESSION_LIMIT = 1
    phone.sign_in(headers=HTML)
    page = open_chooser(phone)
    boxes = r'type="checkbox" name="end" value="([^"]+)" checked'
    chosen = re.findall(boxes, page.content.decode())
    assert set(chosen) == {str(row.pk) for row in live()}
    assert choose(phone, *chosen, page=page).status_code == 302
    assert live() == [phone.row]


def test_it_leads_where_the_sign_in_was_to_lead(ada, laptop, phone):
    laptop.sign_in()
    path = f"{phone.path('login')}?next=/public/"
    phone.sign_in(path=path, headers=HTML)
    assert choose(phone, laptop.row.pk)["Location"] == "/public/"


@pytest.mark.parametrize(
    "next_url",
    [
        "https://elsewhere.example/",
        "//elsewhere",
        "http://testserver//elsewhere.example/",
        "http://testserver/\\elsewhere.example/",
        "//testserver///elsewhere.example/",
        "",
    ],
)
def test_it_never_leads_elsewhere(ada, laptop, phone, next_url):
    laptop.sign_in()
    data = {"username": "ada", "password": PASSWORD, "next": next_url}
    phone.post(phone.path("login"), data, headers=HTML)
    assert choose(phone, laptop.row.pk)["Location"] == "/"


def test_what_was_written_before_it_is_kept(ada, laptop, phone):
    """The browser had no cookie, and receives none while it is asked."""
    laptop.sign_in()
    phone.post(phone.path("play"), {"acts": "write login:ada"}, headers=HTML)
    assert phone.cookie is None
    choose(phone, laptop.row.pk)
    assert phone.stored["writes"] == 1


def test_choosing_everybody(ada, laptop, tablet, phone, settings):
    settings.SESSION_LIMIT = 2
    laptop.sign_in()
    tablet.sign_in()
    phone.sign_in()
    assert choose(phone, "all").status_code == 302
    assert phone.state == SIGNED_IN
    assert (laptop.state, tablet.state) == (Reason.DISPLACED, Reason.DISPLACED)


def test_choosing_everybody_where_the_limit_has_gone(asked, laptop, settings):
    page = open_chooser(asked)
    settings.SESSION_LIMIT = None
    assert choose(asked, "all", page=page).status_code == 302
    assert asked.state == SIGNED_IN
    assert laptop.state == Reason.DISPLACED


def test_choosing_one_where_the_limit_has_gone_ends_nobody(asked, laptop, settings):
    page = open_chooser(asked)
    settings.SESSION_LIMIT = None
    assert choose(asked, laptop.row.pk, page=page).status_code == 302
    assert asked.state == SIGNED_IN
    assert laptop.state == SIGNED_IN


def test_cancelling_leaves_everything_as_it_was(asked, laptop):
    response = choose(asked, cancel="1")
    assert response.status_code == 302
    assert asked.state == NOBODY
    assert laptop.state == SIGNED_IN
    assert not PendingSignIn.objects.exists()
    assert COOKIE not in asked.client.cookies


def test_where_a_place_became_free_it_just_continues(asked, laptop):
    laptop.sign_out()
    response = asked.get(CHOOSE, headers=HTML)
    assert (response.status_code, response["Location"]) == (302, "/")
    assert asked.state == SIGNED_IN
    assert reasons() == [Reason.SIGNED_OUT]


def test_a_look_at_the_headers_does_not_sign_in(asked, laptop):
    laptop.sign_out()
    assert asked.call("head", CHOOSE, headers=HTML).status_code == 200
    assert asked.state == NOBODY


def test_a_prefetch_does_not_sign_in(asked, laptop):
    laptop.sign_out()
    response = asked.get(CHOOSE, headers={**HTML, "Sec-Purpose": "prefetch"})
    assert response.status_code == 200
    assert asked.state == NOBODY


def test_where_a_place_became_free_nobody_is_signed_out(
    ada, laptop, phone, tablet, settings
):
    settings.SESSION_LIMIT = 2
    laptop.sign_in()
    tablet.sign_in()
    phone.sign_in()
    page = open_chooser(phone)
    tablet.sign_out()
    assert choose(phone, laptop.row.pk, page=page).status_code == 302
    assert (laptop.state, phone.state) == (SIGNED_IN, SIGNED_IN)


def test_what_was_in_the_anonymous_session_stays(ada, laptop, phone):
    laptop.sign_in()
    phone.post("/cart/", {"cart": "tea"})
    phone.sign_in()
    assert phone.get("/cart/").json() == {"cart": "tea"}
    choose(phone, laptop.row.pk)
    assert phone.get("/cart/").json() == {"cart": "tea"}
    assert phone.state == SIGNED_IN


def test_what_was_written_while_it_waited_stays(ada, laptop, phone):
    laptop.sign_in()
    phone.write()
    phone.post(phone.path("play"), {"acts": "write login:ada"}, headers=HTML)
    # The refused request's write counts too, unless the cookie holds the session.
    left = phone.stored["writes"]
    phone.write()
    choose(phone, laptop.row.pk)
    assert phone.stored["writes"] == left + 1


# Choices that do not sign in


def test_a_choice_that_is_gone_asks_again(asked, laptop, tablet):
    page, gone = open_chooser(asked), laptop.row.pk
    laptop.sign_out()
    tablet.sign_in()
    response = choose(asked, gone, page=page)
    assert response.status_code == 409
    assert asked.state == NOBODY
    assert tablet.state == SIGNED_IN
    assert choose(asked, tablet.row.pk, page=response).status_code == 302
    assert asked.state == SIGNED_IN


def test_one_choice_admits_once(asked, laptop, settings):
    page, twin, id = open_chooser(asked), asked.twin(), laptop.row.pk
    # Now there is room for both.
    settings.SESSION_LIMIT = 3
    assert choose(asked, id, page=page).status_code == 302
    assert choose(twin, id, page=page).status_code == 410
    assert twin.state == NOBODY
    assert len(live()) == 2


def test_the_back_button(asked, laptop):
    page = open_chooser(asked)
    choose(asked, laptop.row.pk, page=page)
    # The browser shows its copy of the chooser, and the chosen session has ended.
    (row,) = live()
    response = choose(asked, row.pk, page=page)
    assert response.status_code == 302
    assert asked.state == SIGNED_IN
    assert live() == [row]


def test_it_expires(asked, laptop, time):
    page = open_chooser(asked)
    time.advance(registry.pending.LIFETIME)
    assert asked.get(CHOOSE, headers=HTML).status_code == 410
    assert choose(asked, laptop.row.pk, page=page).status_code == 410
    assert asked.state == NOBODY
    assert laptop.state == SIGNED_IN


def test_it_dies_with_the_password(asked, laptop, ada):
    page = open_chooser(asked)
    ada.set_password("another")
    ada.save()
    assert choose(asked, laptop.row.pk, page=page).status_code == 410
    assert asked.state == NOBODY


def test_it_dies_with_the_account(asked, laptop, ada):
    page = open_chooser(asked)
    get_user_model().objects.update(is_active=False)
    assert choose(asked, laptop.row.pk, page=page).status_code == 410
    assert asked.state == NOBODY


def test_a_cookie_carried_to_another_browser_is_nobody(asked, laptop, tablet):
    page = open_chooser(asked)
    tablet.client.cookies[COOKIE] = asked.client.cookies[COOKIE].value
    assert tablet.get(CHOOSE, headers=HTML).status_code == 410
    assert choose(tablet, laptop.row.pk, page=page).status_code == 410
    assert tablet.state == NOBODY
    assert choose(asked, laptop.row.pk, page=page).status_code == 302


def test_no_other_site_can_choose(asked, laptop):
    for data in ({}, {"choice": ""}, {"choice": "x" * 64}):
        response = asked.post(CHOOSE, {"end": str(laptop.row.pk), **data}, headers=HTML)
        assert response.status_code == 409
    assert laptop.state == SIGNED_IN
    assert asked.state == NOBODY


@pytest.mark.parametrize("end", [[], ["x"], ["'; DROP TABLE"], [""], ["\0" * 40]])
def test_nothing_chosen(asked, laptop, end):
    assert choose(asked, *end).status_code == 400
    assert laptop.state == SIGNED_IN
    assert asked.state == NOBODY


def test_somebody_elses_session_cannot_be_chosen(asked, laptop, tablet):
    make_user("bob")
    tablet.sign_in("bob")
    assert choose(asked, tablet.row.pk).status_code == 409
    assert tablet.state == SIGNED_IN
    assert laptop.state == SIGNED_IN


@pytest.mark.parametrize("cookie", ["", "x", "x" * 32, "é" * 32, "x" * 10_000])
def test_a_forged_cookie(ada, laptop, phone, cookie):
    laptop.sign_in()
    headers = {**HTML, "Cookie": f"{COOKIE}={cookie}"}
    assert phone.get(CHOOSE, headers=headers).status_code == 410
    response = phone.post(CHOOSE, {"choice": "x", "end": "all"}, headers=headers)
    assert response.status_code == 410
    assert laptop.state == SIGNED_IN


def test_a_wrong_password_at_the_limit_looks_like_a_wrong_password(ada, laptop, phone):
    laptop.sign_in()
    response = phone.post(phone.path("login"), {"username": "ada", "password": "wrong"})
    assert response.status_code in {200, 400}
    assert COOKIE not in phone.client.cookies
    assert not PendingSignIn.objects.exists()


def test_signing_in_as_somebody_else_forgets_it(asked, laptop):
    make_user("bob")
    asked.sign_in("bob")
    assert asked.name == "bob"
    assert COOKIE not in asked.client.cookies
    assert asked.get(CHOOSE, headers=HTML).status_code == 302
    assert laptop.state == SIGNED_IN


def test_signing_in_another_way_leaves_nothing_to_be_used(asked, laptop):
    copy = asked.twin()
    laptop.sign_out()
    assert asked.sign_in().status_code == 302
    asked.sign_out()
    assert copy.get(CHOOSE, headers=HTML).status_code == 410
    assert copy.state == NOBODY
    assert not live()


def test_signing_in_again_goes_on_waiting(asked, laptop):
    secret = asked.client.cookies[COOKIE].value
    asked.sign_in()
    assert asked.client.cookies[COOKIE].value == secret
    assert PendingSignIn.objects.count() == 1
    assert choose(asked, laptop.row.pk).status_code == 302


def test_a_new_secret_key_goes_on_with_the_old_one(asked, laptop, settings):
    page, id = open_chooser(asked), laptop.row.pk
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    assert choose(asked, id, page=page).status_code == 302
    assert asked.state == SIGNED_IN


def test_signing_in_again_while_another_tab_chooses(asked, laptop, monkeypatch):
    find_pending = registry.pending.find_pending

    def chosen_meanwhile(browser):
        found = find_pending(browser)
        PendingSignIn.objects.all().delete()
        return found

    with monkeypatch.context() as patched:
        patched.setattr(registry.pending, "find_pending", chosen_meanwhile)
        assert asked.sign_in(headers=HTML).status_code == 303
    assert choose(asked, laptop.row.pk).status_code == 302
    assert asked.state == SIGNED_IN


# JSON and htmx


def test_json(ada, laptop, phone):
    laptop.sign_in()
    response = phone.sign_in(headers=JSON)
    assert response.status_code == 409
    answer = response.json()
    assert answer["code"] == "choose_session"
    assert answer["version"] == 1
    assert answer["limit"] == 1
    (rival,) = answer["sessions"]
    assert rival["id"] == str(laptop.row.pk)
    assert rival["device"] == "Firefox on Windows"
    assert "address" not in rival
    assert answer["choose_url"] == CHOOSE
    assert phone.state == NOBODY

    swap = {"choice": answer["choice"], "end": [rival["id"]]}
    response = phone.call(
        "post", CHOOSE, swap, content_type="application/json", headers=JSON
    )
    assert response.status_code == 200
    assert response.json() == {"version": 1, "code": "signed_in", "next": "/"}
    assert phone.state == SIGNED_IN
    assert laptop.state == Reason.DISPLACED
    again = phone.twin()
    again.client.cookies[COOKIE] = "x" * 32
    response = again.call(
        "post", CHOOSE, swap, content_type="application/json", headers=JSON
    )
    assert response.status_code in {302, 410}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{",
        '{"end": 3}',
        '{"end": {"a": 1}}',
        '{"choice": "\\ud800", "end": "all"}',
    ],
)
def test_json_that_says_nothing(asked, laptop, body):
    response = asked.call(
        "post", CHOOSE, body, content_type="application/json", headers=JSON
    )
    assert response.status_code == 400
    assert laptop.state == SIGNED_IN


def test_htmx_goes_to_the_chooser(ada, laptop, phone):
    laptop.sign_in()
    response = phone.sign_in(headers={"HX-Request": "true", "Accept": "*/*"})
    assert response.status_code == 409
    assert response["HX-Redirect"] == CHOOSE
    assert choose(phone, laptop.row.pk).status_code == 302


# Other projects


def test_without_our_urls_it_is_a_refusal(ada, laptop, phone, settings):
    settings.ROOT_URLCONF = "tests.stories.urls_plain"
    laptop.sign_in(path="/login/")
    response = phone.sign_in(path="/login/")
    assert response.status_code == 403
    assert phone.get("/whoami/").json() == {"user": None}
    assert not PendingSignIn.objects.exists()


def test_at_an_address_that_has_to_be_quoted(ada, settings):
    # Django's async client does not send such a path as a server receives it.
    laptop, phone = Visitor(), Visitor(PHONE)
    settings.ROOT_URLCONF = "tests.stories.urls_quoted"
    laptop.sign_in(path="/login/")
    chooser = phone.sign_in(path="/login/", headers=HTML)["Location"]
    assert chooser == "/ger%C3%A4te/choose/"
    page = phone.get("/geräte/choose/", headers=HTML)
    assert page.status_code == 200
    data = {"choice": code(page), "end": "all"}
    assert phone.post("/geräte/choose/", data, headers=HTML).status_code == 302
    assert phone.get("/whoami/").json() == {"user": "ada"}


def test_where_every_page_needs_a_sign_in(ada, laptop, phone, settings):
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]
    test = phone.post(reverse("login"), {"username": "ada", "password": PASSWORD})
    assert test.status_code == 302
    response = laptop.post(reverse("login"), {"username": "ada", "password": PASSWORD})
    assert response.status_code == 303
    assert choose(laptop, phone.row.pk).status_code == 302
    assert laptop.state == SIGNED_IN


@pytest.mark.parametrize("policy", ["ask", "deny"])
def test_no_page_of_ours_can_be_framed(ada, laptop, phone, settings, policy):
    settings.SESSION_LIMIT_AT_LIMIT = policy
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ]
    laptop.sign_in()
    answers = [phone.sign_in(headers=HTML)]
    if policy == "ask":
        answers.append(open_chooser(phone))
        answers.append(choose(phone, UUID(int=1), page=answers[-1]))
    registry.end_all(ada, Reason.REVOKED)
    answers.append(laptop.open(**HTML))
    statuses = [303, 200, 409, 401] if policy == "ask" else [403, 401]
    assert [answer.status_code for answer in answers] == statuses
    assert {answer.get("X-Frame-Options") for answer in answers} == {"DENY"}


def test_the_refused_answer_touches_no_session_cookie(ada, laptop, phone):
    laptop.sign_in()
    assert set_cookie(phone.sign_in()) is None
    assert phone.cookie is None


# What a refused sign-in leaves behind


@pytest.fixture
def second_factor():
    """
    Connect a receiver that runs before ours, as django-otp's does, and one after it.
    """
    ran = []

    def before(request, **kwargs):
        request.session["otp_device_id"] = "device"

    def after(**kwargs):
        ran.append("after")

    receivers = user_logged_in.receivers
    user_logged_in.connect(before)
    user_logged_in.connect(after)
    # Receivers run in the order in which they were connected.
    user_logged_in.receivers.insert(0, user_logged_in.receivers.pop(-2))
    user_logged_in.sender_receivers_cache.clear()
    yield ran
    user_logged_in.receivers = receivers
    user_logged_in.disconnect(before)
    user_logged_in.disconnect(after)


def test_what_receivers_added_comes_back_with_the_admission(
    ada, laptop, phone, second_factor
):
    laptop.sign_in()
    phone.post("/cart/", {"cart": "tea"})
    second_factor.clear()
    phone.sign_in()
    assert second_factor == []
    assert "otp_device_id" not in phone.stored
    assert phone.get("/cart/").json() == {"cart": "tea"}
    choose(phone, laptop.row.pk)
    assert phone.stored["otp_device_id"] == "device"
    assert phone.stored["cart"] == "tea"
    assert second_factor == ["after"]
