"""Who sees and ends the sessions on the page "Your sessions", and what it takes."""

from __future__ import annotations

import logging
import re
import uuid
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.utils import timezone

from session_limit import registry
from session_limit.models import UserSession
from session_limit.rules import Rules
from tests import stores
from tests.stories.people import (
    JSON,
    NOBODY,
    PASSWORD,
    SIGNED_IN,
    events,
    live,
    make_user,
    reasons,
    statements,
    writes,
)

Reason = UserSession.Reason
LIST = "/account/sessions/"
END_OTHERS = "/account/sessions/end-others/"
AN_HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def limit(settings):
    settings.SESSION_LIMIT = 3


@pytest.fixture(autouse=True)
def accounts(ada):
    return ada


def end(row):
    return f"{LIST}{row.pk}/end/"


def text(response):
    """Return the text of a page, without its tags."""
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def status_text(response):
    """Return the text of the page's live region."""
    found = re.findall(
        r'role="status"[^>]*>(.*?)<', response.content.decode(), re.DOTALL
    )
    return " ".join(found).strip()


def asks_for_password(response):
    return 'name="password"' in response.content.decode()


def went_to(response):
    assert response.status_code in {302, 303}, response.content
    return response["Location"]


def grow_stale(visitor):
    """Date this browser's last authentication back by an hour."""
    rows = UserSession.objects.filter(pk=visitor.row.pk)
    rows.update(authenticated_at=timezone.now() - AN_HOUR)


def post_json(visitor, path, data, **headers):
    return visitor.post(
        path, data, content_type="application/json", headers=JSON | headers
    )


# The list


def test_the_list_shows_this_device_and_the_others(laptop, phone):
    phone.sign_in()
    laptop.sign_in()
    response = laptop.get(LIST)
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    says = text(response)
    assert says.index("Firefox on Windows") < says.index("Chrome on Android")
    assert "This device" in says
    assert "2 of 3" in says
    assert laptop.cookie not in response.content.decode()


def test_the_list_in_json(laptop, phone, tablet, settings):
    phone.sign_in()
    tablet.sign_in()
    ended = tablet.row
    registry.end([ended.pk], Reason.REVOKED, by=ended.user)
    laptop.sign_in()
    response = laptop.get(LIST, headers=JSON)
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    answer = response.json()
    assert answer["version"] == 1
    assert answer["limit"] == 3
    assert answer["in_use"] == 2
    assert answer["retention_seconds"] == 30 * 24 * 60 * 60
    own, other = answer["sessions"]
    assert own["id"] == str(laptop.row.pk)
    assert own["is_current"] is True
    assert own.keys() == {
        "id",
        "device",
        "device_class",
        "signed_in_at",
        "last_active_at",
        "address",
        "is_current",
        "is_new",
    }
    assert (other["id"], other["device"]) == (str(phone.row.pk), "Chrome on Android")
    assert (other["device_class"], other["is_current"]) == ("phone", False)
    assert other["is_new"] is True
    (tombstone,) = answer["ended"]
    assert tombstone.keys() == own.keys() | {"ended_at", "reason", "ended_by_you"}
    assert tombstone["id"] == str(ended.pk)
    assert (tombstone["reason"], tombstone["ended_by_you"]) == ("revoked", True)
    assert tombstone["is_new"] is False
    assert laptop.cookie not in response.content.decode()


def test_others_are_ordered_by_their_activity(laptop, phone, tablet):
    for visitor in (laptop, phone, tablet):
        visitor.sign_in()
    rows = UserSession.objects.filter(pk=phone.row.pk)
    rows.update(last_active_at=timezone.now() + timedelta(seconds=5))
    answer = laptop.get(LIST, headers=JSON).json()
    ids = [session["id"] for session in answer["sessions"]]
    assert ids == [str(visitor.row.pk) for visitor in (laptop, phone, tablet)]


def test_the_list_without_a_limit(laptop, settings):
    settings.SESSION_LIMIT = None
    laptop.sign_in()
    assert laptop.get(LIST).status_code == 200
    answer = laptop.get(LIST, headers=JSON).json()
    assert (answer["limit"], answer["in_use"]) == (None, 1)


class ByAgent(Rules):
    def scope(self, user, request):
        return "phone" if "Android" in request.headers["User-Agent"] else ""

    def exempt(self, user, request):
        return "iPad" in request.headers["User-Agent"]


def test_in_use_are_those_that_take_a_place_in_this_scope(
    laptop, phone, tablet, settings
):
    settings.SESSION_LIMIT_RULES = f"{__name__}.ByAgent"
    for visitor in (laptop, phone, tablet):
        visitor.sign_in()
    answer = laptop.get(LIST, headers=JSON).json()
    assert answer["in_use"] == 1
    assert len(answer["sessions"]) == 3
    # An exempt session may see and end the others too.
    assert tablet.get(LIST, headers=JSON).json()["in_use"] == 1
    assert went_to(tablet.post(end(phone.row))).startswith(LIST)
    assert phone.state == Reason.REVOKED


def test_a_session_whose_time_is_up_is_not_listed(laptop, phone, time):
    phone.sign_in()
    rows = UserSession.objects.filter(pk=phone.row.pk)
    rows.update(expires_at=timezone.now() - AN_HOUR)
    laptop.sign_in()
    answer = laptop.get(LIST, headers=JSON).json()
    assert answer["in_use"] == 1
    assert len(answer["sessions"]) == 1


def test_what_ended_is_listed_with_its_reason_for_as_long_as_it_is_kept(
    laptop, phone, settings
):
    settings.SESSION_LIMIT = 1
    phone.sign_in()
    laptop.sign_in()
    says = text(laptop.get(LIST))
    assert "Displaced by a newer sign-in" in says
    assert "30 days" in says
    (ended,) = laptop.get(LIST, headers=JSON).json()["ended"]
    assert (ended["reason"], ended["ended_by_you"]) == ("displaced", False)
    long_ago = timezone.now() - timedelta(days=31)
    UserSession.objects.ended().update(ended_at=long_ago)
    assert laptop.get(LIST, headers=JSON).json()["ended"] == []


def test_the_list_says_who_ended_a_session(ada, bob, laptop, phone):
    laptop.sign_in()
    for by, says in ((ada, "Signed out by you"), (bob, "Ended by an administrator")):
        phone.sign_in()
        registry.end([phone.row.pk], Reason.REVOKED, by=by)
        assert says in text(laptop.get(LIST))


def add_sessions(user, number, **fields):
    now = timezone.now()
    UserSession.objects.bulk_create(
        UserSession(user=user, expires_at=now + AN_HOUR, **fields)
        for _ in range(number)
    )


@pytest.mark.parametrize("as_json", [False, True], ids=["page", "json"])
@pytest.mark.parametrize("others", [0, 4, 499])
def test_the_list_takes_five_statements_however_long_it_is(
    ada, laptop, settings, others, as_json
):
    laptop.sign_in()
    add_sessions(ada, others)
    now = timezone.now()
    add_sessions(ada, others, ended_at=now, ended_reason=Reason.DISPLACED)
    headers = JSON if as_json else {}
    laptop.get(LIST, headers=headers)
    with statements() as ran:
        response = laptop.get(LIST, headers=headers)
    assert response.status_code == 200
    # They read the session with its row and user, this session, the others, the ended
    # ones and the account's limit.
    assert len(ran) == stores.STATEMENTS + 4
    assert writes(ran) == []


# Ending another one


def test_one_click_ends_another_session_at_once(laptop, phone, settings):
    phone.sign_in()
    laptop.sign_in()
    there = phone.row
    response = laptop.post(end(there))
    assert response.status_code == 303
    assert phone.state == Reason.REVOKED
    assert b"list of devices" in phone.get(phone.path("members")).content
    assert laptop.state == SIGNED_IN
    page = laptop.get(went_to(response))
    assert status_text(page) == "Signed out: Chrome on Android."
    assert status_text(laptop.get(LIST)) == ""
    there.refresh_from_db()
    assert there.ended_by == str(there.user_id)


def test_ending_in_json(laptop, phone):
    phone.sign_in()
    laptop.sign_in()
    row = phone.row
    response = post_json(laptop, end(row), {})
    assert response.status_code == 200
    assert response.json() == {"version": 1, "ended": [str(row.pk)]}
    assert phone.state == Reason.REVOKED
    again = post_json(laptop, end(row), {})
    assert again.json() == {"version": 1, "ended": []}


def test_whoever_sends_json_is_answered_in_json(laptop, phone):
    phone.sign_in()
    laptop.sign_in()
    response = laptop.post(
        end(phone.row), {}, content_type="application/json", headers={"Accept": "*/*"}
    )
    assert response.json()["version"] == 1


def test_a_page_asks_before_it_ends_one(laptop, phone):
    phone.sign_in()
    laptop.sign_in()
    page = laptop.get(end(phone.row))
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    assert "Chrome on Android" in text(page)
    assert not asks_for_password(page)
    assert phone.state == SIGNED_IN


def test_ending_one_twice_says_that_it_is_over(laptop, phone):
    phone.sign_in()
    laptop.sign_in()
    row = phone.row
    laptop.post(end(row))
    UserSession.objects.filter(pk=row.pk).update(ended_at=timezone.now() - AN_HOUR)
    for response in (laptop.post(end(row)), laptop.get(end(row))):
        page = laptop.get(went_to(response))
        assert status_text(page) == "Signed out already: Chrome on Android."


def test_ending_one_that_was_displaced_says_that_it_is_over(laptop, phone, settings):
    settings.SESSION_LIMIT = 1
    phone.sign_in()
    row = phone.row
    laptop.sign_in()
    grow_stale(laptop)
    # Nothing would be ended, so that no password is needed.
    page = laptop.get(went_to(laptop.post(end(row))))
    assert status_text(page) == "Signed out already: Chrome on Android."


def test_an_unknown_device_is_called_that(browser, laptop):
    nameless = browser("")
    nameless.sign_in()
    laptop.sign_in()
    page = laptop.get(went_to(laptop.post(end(nameless.row))))
    assert status_text(page) == "Signed out: Unknown device."


# Ending this one


def test_signing_out_here_asks_first_and_is_djangos_sign_out(laptop, caplog):
    caplog.set_level(logging.INFO, logger="session_limit")
    laptop.sign_in()
    grow_stale(laptop)
    address = end(laptop.row)
    page = laptop.get(address)
    assert page.status_code == 200
    assert not asks_for_password(page)
    assert laptop.state == SIGNED_IN
    response = laptop.post(address)
    assert (response.status_code, response["Location"]) == (303, "/public/")
    assert laptop.state == NOBODY
    assert laptop.cookie is None
    assert reasons() == [Reason.SIGNED_OUT]
    assert [each["event"].partition(":")[0] for each in events(caplog)] == [
        "session_created",
        "session_logout",
    ]


def test_without_another_address_signing_out_leads_to_the_sign_in_page(
    laptop, settings
):
    settings.LOGOUT_REDIRECT_URL = None
    laptop.sign_in()
    assert went_to(laptop.post(end(laptop.row))) == "/login/"


def test_signing_out_here_in_json(laptop):
    laptop.sign_in()
    row = laptop.row
    response = post_json(laptop, end(row), {})
    assert response.json() == {"version": 1, "ended": [str(row.pk)]}
    assert laptop.state == NOBODY


# Ending all others


def test_ending_all_others(laptop, phone, tablet):
    for visitor in (laptop, phone, tablet):
        visitor.sign_in()
    page = laptop.get(END_OTHERS)
    assert "Sign out 2 other devices?" in text(page)
    assert "You stay signed in here." in text(page)
    assert len(live()) == 3
    page = laptop.get(went_to(laptop.post(END_OTHERS)))
    assert status_text(page) == "Signed out: 2 devices."
    assert laptop.state == SIGNED_IN
    assert phone.state == tablet.state == Reason.REVOKED


def test_ending_all_others_in_json(laptop, phone, tablet):
    for visitor in (laptop, phone, tablet):
        visitor.sign_in()
    ids = {str(visitor.row.pk) for visitor in (phone, tablet)}
    response = post_json(laptop, END_OTHERS, {})
    assert set(response.json()["ended"]) == ids


def test_with_no_others_there_is_nothing_to_ask(laptop):
    laptop.sign_in()
    grow_stale(laptop)
    assert went_to(laptop.get(END_OTHERS)) == LIST
    assert went_to(laptop.post(END_OTHERS)) == LIST
    assert post_json(laptop, END_OTHERS, {}).json()["ended"] == []
    assert laptop.state == SIGNED_IN


def test_others_are_those_of_this_account(bob, laptop, phone):
    laptop.sign_in("ada")
    phone.sign_in("bob")
    laptop.post(END_OTHERS)
    assert phone.state == SIGNED_IN


# Credentials that were given some time ago


@pytest.mark.parametrize("all_others", [False, True], ids=["one", "all-others"])
def test_after_a_while_the_password_is_asked_for_in_the_same_step(
    laptop, phone, time, all_others, caplog
):
    phone.sign_in()
    laptop.sign_in()
    address = END_OTHERS if all_others else end(phone.row)
    time.advance(15 * 60 + 1)
    caplog.set_level(logging.INFO, logger="session_limit")

    for page in (laptop.get(address), laptop.post(address)):
        assert page.status_code == 200
        assert asks_for_password(page)
        assert "Enter" not in text(page)
        assert phone.state == SIGNED_IN

    row, cookie = laptop.row, laptop.cookie
    response = laptop.post(address, {"password": PASSWORD})
    assert went_to(response).startswith(LIST)
    assert phone.state == Reason.REVOKED
    assert laptop.state == SIGNED_IN
    # Two signed cookies of the same second may be equal.
    assert laptop.cookie != cookie or stores.is_cookie()
    assert laptop.row == row
    assert laptop.row.authenticated_at > row.authenticated_at
    (renewed, _) = events(caplog)[:2]
    assert renewed["event"] == f"session_renewed:{row.user_id}"
    assert renewed["session"] == str(row.pk)


def test_just_within_the_age_nothing_is_asked(laptop, phone, time):
    phone.sign_in()
    laptop.sign_in()
    time.advance(15 * 60 - 5)
    assert laptop.post(end(phone.row)).status_code == 303
    assert phone.state == Reason.REVOKED


def test_the_password_stays_given_for_a_while(laptop, phone, tablet):
    for visitor in (laptop, phone, tablet):
        visitor.sign_in()
    grow_stale(laptop)
    laptop.post(end(phone.row), {"password": PASSWORD})
    assert laptop.post(end(tablet.row)).status_code == 303
    assert live() == [laptop.row]


def test_the_cookie_from_before_the_password_is_dead(laptop, phone):
    phone.sign_in()
    laptop.sign_in()
    grow_stale(laptop)
    thief = laptop.twin()
    laptop.post(end(phone.row), {"password": PASSWORD})
    assert laptop.state == SIGNED_IN
    # A signed cookie has no key that could change: both copies name the same session.
    assert thief.state == (SIGNED_IN if stores.is_cookie() else NOBODY)


def test_the_password_resets_both_timeouts(laptop, phone, settings):
    settings.SESSION_LIMIT_ABSOLUTE_TIMEOUT = 2 * 60 * 60
    settings.SESSION_LIMIT_IDLE_TIMEOUT = 3 * 60 * 60
    phone.sign_in()
    laptop.sign_in()
    grow_stale(laptop)
    UserSession.objects.filter(pk=laptop.row.pk).update(
        expires_at=timezone.now() + AN_HOUR, expires_reason=Reason.ABSOLUTE
    )
    laptop.post(end(phone.row), {"password": PASSWORD})
    row = laptop.row
    assert row.expires_reason == Reason.ABSOLUTE
    assert row.expires_at - timezone.now() > timedelta(minutes=119)


@pytest.mark.parametrize(
    "password", ["wrong", "", "x" * 10_000, "\0", "correct horse "]
)
def test_a_wrong_password_ends_nothing_and_is_heard(laptop, phone, password):
    phone.sign_in()
    laptop.sign_in()
    grow_stale(laptop)
    heard = []

    def listen(credentials, request, **kwargs):
        heard.append(credentials["username"])

    user_login_failed.connect(listen)
    try:
        page = laptop.post(end(phone.row), {"password": password})
        answer = post_json(laptop, end(phone.row), {"password": password})
    finally:
        user_login_failed.disconnect(listen)
    assert page.status_code == 200
    assert asks_for_password(page)
    assert "errorlist" in page.content.decode()
    if password:
        assert password not in page.content.decode()
    assert answer.status_code == 403
    assert answer.json() == {
        "version": 1,
        "code": "wrong_password",
        "reauthentication_url": None,
    }
    assert phone.state == laptop.state == SIGNED_IN
    is_tried = password in {"wrong", "correct horse "}
    assert heard == (["ada"] * 2 if is_tried else [])


def test_json_is_told_that_the_password_is_needed(laptop, phone):
    phone.sign_in()
    laptop.sign_in()
    grow_stale(laptop)
    for address in (end(phone.row), END_OTHERS):
        response = post_json(laptop, address, {})
        assert response.status_code == 403
        assert response.json() == {
            "version": 1,
            "code": "reauthentication_required",
            "reauthentication_url": None,
        }
    response = post_json(laptop, end(phone.row), {"password": PASSWORD})
    assert response.status_code == 200
    assert phone.state == Reason.REVOKED


class AnybodysPassword(ModelBackend):
    """Accept any password as another account's."""

    def authenticate(self, request, username=None, password=None, **kwargs):
        return get_user_model()._default_manager.get_by_natural_key("bob")


def test_another_accounts_password_is_none(bob, laptop, phone, settings):
    phone.sign_in()
    laptop.sign_in()
    grow_stale(laptop)
    settings.AUTHENTICATION_BACKENDS = [
        f"{__name__}.AnybodysPassword",
        "django.contrib.auth.backends.ModelBackend",
    ]
    page = laptop.post(end(phone.row), {"password": PASSWORD})
    assert asks_for_password(page)
    assert phone.state == SIGNED_IN


def test_a_password_hash_that_is_upgraded_signs_nobody_out_here(
    laptop, phone, settings
):
    phone.sign_in()
    laptop.sign_in()
    grow_stale(laptop)
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    laptop.post(end(phone.row), {"password": PASSWORD})
    assert laptop.state == SIGNED_IN
    assert phone.state == Reason.REVOKED


def test_signing_in_again_is_fresh(laptop, phone):
    phone.sign_in()
    laptop.sign_in()
    grow_stale(laptop)
    laptop.sign_in()
    assert laptop.post(end(phone.row)).status_code == 303


def test_who_has_no_password_signs_in_again(laptop, phone):
    make_user("eve", password=None)

    def sign_in(visitor):
        visitor.post(visitor.path("play"), {"acts": "login:eve"})

    sign_in(phone)
    sign_in(laptop)
    grow_stale(laptop)
    address = end(phone.row)
    back = f"/login/?next={quote(address, safe='')}"
    page = laptop.post(address, {"password": PASSWORD})
    assert not asks_for_password(page)
    assert back in page.content.decode()
    assert post_json(laptop, address, {}).json()["reauthentication_url"] == back
    assert phone.state == SIGNED_IN
    sign_in(laptop)
    assert laptop.post(address).status_code == 303
    assert phone.state == Reason.REVOKED


class OwnPage(Rules):
    def reauthentication_url(self, user, request, back):
        return f"/sudo/?next={back}"


def test_a_project_may_have_a_page_of_its_own(laptop, phone, settings):
    settings.SESSION_LIMIT_RULES = f"{__name__}.OwnPage"
    phone.sign_in()
    laptop.sign_in()
    grow_stale(laptop)
    address = end(phone.row)
    # A password that we did not ask for is ignored.
    for page in (laptop.get(address), laptop.post(address, {"password": PASSWORD})):
        assert page.status_code == 200
        assert not asks_for_password(page)
        assert f"/sudo/?next={address}" in page.content.decode()
    response = post_json(laptop, address, {"password": PASSWORD})
    assert response.status_code == 403
    assert response.json()["reauthentication_url"] == f"/sudo/?next={address}"
    response = post_json(laptop, address, {}, Referer="http://testserver/devices/")
    assert response.json()["reauthentication_url"] == "/sudo/?next=/devices/"
    response = post_json(laptop, address, {}, Referer="https://evil.example/")
    assert response.json()["reauthentication_url"] == f"/sudo/?next={address}"
    assert phone.state == SIGNED_IN


# Without a live session


@pytest.mark.parametrize("path", [LIST, END_OTHERS, f"{LIST}{uuid.UUID(int=1)}/end/"])
def test_a_visitor_is_sent_to_sign_in(laptop, path):
    for response in (laptop.get(path), laptop.post(path)):
        if response.status_code == 405:
            continue
        assert went_to(response) == f"/login/?next={path}"
    response = laptop.get(path, headers=JSON)
    assert response.status_code == 401
    assert response.json() == {"version": 1, "code": "not_signed_in"}


@pytest.mark.parametrize("path", [LIST, END_OTHERS])
def test_django_requiring_a_sign_in_everywhere_changes_nothing(laptop, settings, path):
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]
    assert went_to(laptop.get(path)) == f"/login/?next={path}"
    assert laptop.get(path, headers=JSON).json()["code"] == "not_signed_in"


def test_whose_session_ended_is_told_why(laptop, phone, settings):
    settings.SESSION_LIMIT = 1
    laptop.sign_in()
    phone.sign_in()
    response = laptop.get(LIST, headers=JSON)
    assert response.status_code == 401
    assert response.json()["code"] == "session_ended"
    response = laptop.post(END_OTHERS)
    assert response.status_code == 401
    assert b"Your account was signed in on a phone." in response.content
    assert phone.state == SIGNED_IN


class EndedWhileItIsChecked(ModelBackend):
    """End the session while its password is being checked."""

    def authenticate(self, request, **credentials):
        user = super().authenticate(request, **credentials)
        if request is not None and request.path.startswith(LIST):
            registry.end([request.session_limit.current.pk], Reason.DISPLACED)
        return user


def test_a_session_that_ends_meanwhile_ends_no_others(laptop, phone, settings):
    phone.sign_in()
    laptop.sign_in()
    grow_stale(laptop)
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.EndedWhileItIsChecked"]
    # The sessions must name this backend to stay valid.
    for visitor in (laptop, phone):
        data = visitor.stored
        data["_auth_user_backend"] = f"{__name__}.EndedWhileItIsChecked"
        visitor.stored = data
    response = laptop.post(end(phone.row), {"password": PASSWORD})
    assert response.status_code == 401
    assert laptop.state == Reason.DISPLACED
    assert phone.state == SIGNED_IN


def test_without_the_middleware_a_developer_is_told(laptop, settings):
    laptop.sign_in()
    settings.MIDDLEWARE = [
        name for name in settings.MIDDLEWARE if "session_limit" not in name
    ]
    tab = laptop.twin()
    with pytest.raises(ImproperlyConfigured, match="SessionLimitMiddleware"):
        tab.get(LIST)


class ShowsBob:
    """Show another person's account, as middleware for administrators does."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        request.user = get_user_model()._default_manager.get_by_natural_key("bob")
        return self.get_response(request)


def test_whoever_is_shown_anothers_account_has_no_session_of_it(bob, laptop, settings):
    laptop.sign_in("ada")
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.ShowsBob"]
    answer = laptop.twin().get(LIST, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_owner")


# Hostile requests


def test_anothers_session_is_not_found(bob, laptop, phone):
    laptop.sign_in("ada")
    phone.sign_in("bob")
    theirs = phone.row
    for _ in range(2):
        for path in (end(theirs), f"{LIST}{uuid.uuid4()}/end/"):
            assert laptop.get(path).status_code == 404
            assert laptop.post(path).status_code == 404
            response = post_json(laptop, path, {"password": PASSWORD})
            assert response.status_code == 404
            assert response.json() == {"version": 1, "code": "not_found"}
        if theirs.is_live:
            assert phone.state == SIGNED_IN
        # An ended session of another account is not found either.
        registry.end([theirs.pk], Reason.REVOKED)
        theirs.refresh_from_db()
        assert status_text(laptop.get(f"{LIST}?done={theirs.pk}")) == ""


@pytest.mark.parametrize(
    "done",
    ["1", "x" * 5000, "<script>alert(1)</script>", "\0", str(uuid.UUID(int=1)), ""],
)
def test_nobodys_link_puts_words_on_the_page(laptop, done):
    laptop.sign_in()
    page = laptop.get(LIST, data={"done": done})
    assert page.status_code == 200
    assert status_text(page) == ""
    assert "<script>alert" not in page.content.decode()


def test_no_word_of_a_live_session_as_if_it_had_ended(laptop, phone):
    phone.sign_in()
    laptop.sign_in()
    assert status_text(laptop.get(LIST, data={"done": str(phone.row.pk)})) == ""


def test_an_id_that_is_none_is_not_found(laptop):
    laptop.sign_in()
    for id in ("1", "../end-others", "0" * 32, "%00"):
        assert laptop.post(f"{LIST}{id}/end/").status_code == 404


@pytest.mark.parametrize("method", ["get", "head", "options", "put", "patch", "delete"])
def test_nothing_but_a_post_ends_anything(laptop, phone, method):
    phone.sign_in()
    laptop.sign_in()
    for path in (end(phone.row), end(laptop.row), END_OTHERS):
        for headers in ({}, JSON):
            response = laptop.call(method, path, headers=headers)
            if method not in {"get", "head", "options"}:
                assert response.status_code == 405
    assert len(live()) == 2
    assert laptop.get(END_OTHERS, headers=JSON).status_code == 405
    assert laptop.post(LIST).status_code == 405


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"x"',
        b"\xff\xfe\xfd",
        b"[" * 100_000,
        b"null",
        b'{"password": "\\ud800"}',
    ],
)
def test_a_body_that_is_no_object(laptop, phone, body):
    phone.sign_in()
    laptop.sign_in()
    grow_stale(laptop)
    response = laptop.call(
        "post", end(phone.row), body, content_type="application/json", headers=JSON
    )
    assert response.status_code == 400
    assert phone.state == laptop.state == SIGNED_IN


@pytest.mark.parametrize("password", [1, None, ["x"], {"a": "b"}, True])
def test_a_password_that_is_no_text(laptop, phone, password):
    phone.sign_in()
    laptop.sign_in()
    grow_stale(laptop)
    response = post_json(laptop, end(phone.row), {"password": password})
    assert response.status_code == 403
    assert phone.state == SIGNED_IN


@pytest.mark.parametrize("has_middleware", [True, False])
def test_without_a_token_nothing_ends(ada, phone, settings, has_middleware):
    phone.sign_in()
    if not has_middleware:
        settings.MIDDLEWARE = [
            name for name in settings.MIDDLEWARE if "Csrf" not in name
        ]
    careful = Client(enforce_csrf_checks=True, headers={"Accept": "text/html"})
    careful.force_login(ada)
    row = phone.row
    for path in (end(row), END_OTHERS):
        assert careful.post(path).status_code == 403
        json = {"content_type": "application/json", "headers": JSON}
        assert careful.post(path, {}, **json).status_code == 403
    assert phone.state == SIGNED_IN

    page = careful.get(LIST).content.decode()
    (token,) = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page))
    assert careful.post(end(row), {"csrfmiddlewaretoken": token}).status_code == 303
    assert phone.state == Reason.REVOKED


def test_nobody_is_led_elsewhere(laptop, phone):
    phone.sign_in()
    laptop.sign_in()
    evil = {"next": "https://evil.example/"}
    address = end(phone.row)
    response = laptop.post(f"{address}?next=https://evil.example/", evil)
    assert went_to(response).startswith(LIST)
    response = laptop.post(end(laptop.row), evil)
    assert went_to(response) == "/public/"


def test_a_password_is_kept_out_of_error_reports(laptop, phone, settings):
    phone.sign_in()
    laptop.sign_in()
    page = laptop.get(LIST)
    request = getattr(page, "wsgi_request", None) or page.asgi_request
    assert request.sensitive_post_parameters == ("password",)
    assert authenticate(request, username="ada", password=PASSWORD) is not None


# New sign-ins, and htmx


def test_a_new_sign_in_is_marked_for_a_day(laptop, phone, time):
    phone.sign_in()
    assert phone.row.is_new
    time.advance(timedelta(hours=24))
    assert not phone.row.is_new


def test_an_adopted_session_is_not_new(ada):
    row = UserSession(user=ada, expires_at=timezone.now() + AN_HOUR, adopted=True)
    assert not row.is_new


def test_the_pages_work_without_htmx_being_told_apart(browser, phone):
    phone.sign_in()
    htmx = browser(headers={"HX-Request": "true", "Accept": "*/*"})
    htmx.sign_in()
    assert htmx.get(LIST)["Content-Type"].startswith("text/html")
    assert went_to(htmx.post(end(phone.row))).startswith(LIST)
