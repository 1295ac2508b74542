"""
Every way to sign in: the admin, force_login, a proxy, impersonation, keys set by hand.
"""

from __future__ import annotations

import re

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import alogin, get_user_model, login, logout
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.http import HttpRequest
from django.test import Client, RequestFactory

from session_limit import registry
from session_limit.exceptions import SessionLimitReached
from session_limit.models import UserSession
from session_limit.testing import PHONE
from tests import stores
from tests.stories import views
from tests.stories.people import (
    SIGNED_IN,
    live,
    make_user,
    reasons,
    statements,
)

Reason = UserSession.Reason


# The admin


@pytest.fixture
def admin(monkeypatch):
    """Create a user that the admin lets in, whichever user model is in use."""
    if hasattr(get_user_model(), "is_staff"):
        return make_user("grace", is_staff=True)
    monkeypatch.setattr(get_user_model(), "is_staff", True, raising=False)
    return make_user("grace")


def test_signing_in_to_the_admin_is_a_sign_in(admin, laptop, phone):
    laptop.sign_in("grace")
    assert phone.sign_in("grace", path="/admin/login/").status_code == 302
    assert phone.name == "grace"
    assert laptop.state == Reason.DISPLACED
    assert len(live(admin)) == 1


def test_the_admin_tells_why(admin, laptop, phone):
    laptop.sign_in("grace", path="/admin/login/")
    phone.sign_in("grace")
    response = laptop.get("/admin/")
    assert response.status_code == 401
    assert b"Your account was signed in on a phone." in response.content
    assert b"/admin/login/?next=/admin/" in response.content


# Test clients


def test_force_login_is_a_sign_in(ada, laptop):
    client = Client()
    client.force_login(ada)
    assert client.get("/members/").status_code == 200
    assert len(live(ada)) == 1
    laptop.sign_in()
    assert client.get("/members/").status_code == 401
    client.force_login(ada)
    assert client.get("/members/").status_code == 200
    assert laptop.state == Reason.DISPLACED


# Signals and requests of all kinds


def test_alogin_and_login_in_one_account(ada, laptop, phone):
    for first, second in (("/login/", "/alogin/"), ("/alogin/", "/login/")):
        laptop.sign_in(path=first)
        phone.sign_in(path=second)
        assert laptop.state == Reason.DISPLACED
        assert phone.state == SIGNED_IN


def test_signals_without_a_request(ada, laptop):
    laptop.sign_in()
    user_logged_in.send(sender=type(ada), request=None, user=ada)
    user_logged_out.send(sender=type(ada), request=None, user=ada)
    user_logged_out.send(sender=None, request=None, user=None)
    assert laptop.state == SIGNED_IN
    assert len(live(ada)) == 1


def test_signals_whose_request_has_no_session(ada, laptop):
    """Token views and Basic authentication send signals, and sign nobody in here."""
    laptop.sign_in()
    request = HttpRequest()
    user_logged_in.send(sender=type(ada), request=request, user=ada)
    user_logged_out.send(sender=type(ada), request=request, user=ada)
    request.session = None
    user_logged_in.send(sender=type(ada), request=request, user=ada)
    request.session = {}
    user_logged_in.send(sender=type(ada), request=request, user=ada)
    assert laptop.state == SIGNED_IN
    assert len(live(ada)) == 1


def request_of_ours():
    """Return a request such as code builds that signs people in outside of a view."""
    request = RequestFactory().get("/")
    request.session = stores.engine()()
    request.user = AnonymousUser()
    return request


@pytest.mark.parametrize("sign_in", [login, async_to_sync(alogin)])
def test_signing_in_outside_a_middleware(ada, laptop, sign_in):
    laptop.sign_in()
    request = request_of_ours()
    sign_in(request, ada, backend=views.BACKEND)
    assert laptop.state == Reason.DISPLACED
    assert len(live(ada)) == 1

    request.session.save()
    laptop.cookie = request.session.session_key
    assert laptop.state == SIGNED_IN
    logout(request)
    assert live() == []


def test_signing_in_outside_a_middleware_is_refused(ada, laptop, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    request = request_of_ours()
    with pytest.raises(SessionLimitReached):
        login(request, ada, backend=views.BACKEND)
    assert "_auth_user_id" not in request.session
    assert not request.user.is_authenticated


# Without login()


def test_keys_set_by_hand(ada, laptop, phone):
    assert laptop.post("/by-hand/", {"name": "ada"}).status_code == 302
    assert laptop.name == "ada"
    assert laptop.state == SIGNED_IN
    (row,) = live(ada)
    assert row.adopted
    assert laptop.row == row

    phone.sign_in()
    assert laptop.state == Reason.DISPLACED
    assert phone.state == SIGNED_IN


def test_keys_set_by_hand_displace_nobody(ada, laptop, phone):
    phone.sign_in()
    laptop.post("/by-hand/", {"name": "ada"})
    assert laptop.name is None
    assert laptop.state == Reason.DISPLACED
    assert phone.state == SIGNED_IN


def test_another_users_keys_set_by_hand(ada, bob, laptop, phone):
    laptop.sign_in("ada")
    laptop.post("/by-hand/", {"name": "bob"})
    assert laptop.name == "bob"
    assert live(ada) == []
    assert len(live(bob)) == 1
    phone.sign_in("bob")
    assert laptop.state == Reason.DISPLACED


# Automatic sign-ins: a proxy names the user with every request


def test_remote_user_in_two_browsers_does_not_loop(ada, remote):
    laptop, phone = remote("ada", "Firefox"), remote("ada", PHONE)
    for each in (laptop, phone):
        each.open()
        assert each.state == SIGNED_IN
    (row,) = live(ada)

    # Reloads and polls say why each time, and displace no session.
    for _ in range(4):
        page = laptop.open()
        assert page.status_code == 401
        assert b"Your account was signed in on a phone." in page.content
        assert b"Use here instead" in page.content
        poll = laptop.open(Accept="application/json")
        assert poll.status_code == 401
        assert poll.json()["reason"] == Reason.DISPLACED
        assert phone.open().status_code == 200
    assert live(ada) == [row]
    assert reasons() == [Reason.DISPLACED]


def form(page):
    """Return the address and the fields of the form on a page."""
    content = page.content.decode()
    (action,) = re.findall(r'<form method="post" action="([^"]+)"', content)
    fields = re.findall(r'name="([^"]+)" value="([^"]+)"', content)
    return action, dict(fields)


def test_use_here_instead_is_a_persons_choice(ada, remote):
    laptop, phone = remote("ada", "Firefox"), remote("ada", PHONE)
    laptop.open()
    phone.open()
    action, fields = form(laptop.open())
    assert fields["next"] == laptop.path("members")

    # A GET of that address makes no choice.
    for _ in range(3):
        assert laptop.get(action, query_params=fields).status_code == 401
    # A POST that another site forges makes none either.
    for forged in ({}, {"token": "x"}, {"token": "", "next": "/"}):
        response = laptop.post(action, forged)
        assert response.status_code == 401
    assert phone.open().status_code == 200

    response = laptop.post(action, fields)
    assert (response.status_code, response.get("Location")) == (302, fields["next"])
    assert laptop.open().status_code == 200
    assert phone.open().status_code == 401
    assert phone.open(Accept="application/json").json()["reason"] == Reason.DISPLACED
    assert len(live(ada)) == 1


def test_the_form_of_one_browser_is_of_no_use_to_another(ada, bob, remote):
    laptop, phone = remote("ada", "Firefox"), remote("ada", PHONE)
    laptop.open()
    phone.open()
    laptop.open()
    phone.post(*form(laptop.open()))
    assert len(live(ada)) == 1
    other, another = remote("bob", "Firefox"), remote("bob", PHONE)
    other.open()
    another.open()
    action, fields = form(laptop.open())
    assert other.post(action, fields).status_code == 401
    assert another.open().status_code == 200


def test_remote_user_under_deny(ada, remote, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop, phone = remote("ada", "Firefox"), remote("ada", PHONE)
    laptop.open()
    for _ in range(3):
        with statements() as ran:
            assert phone.open().status_code == 403
        if settings.ENGINE == "db":
            # Two of them read and restore last_login.
            assert len(ran) == 9
    assert laptop.open().status_code == 200
    assert len(live(ada)) == 1


def test_remote_user_is_asked(ada, remote, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    laptop, phone = remote("ada", "Firefox"), remote("ada", PHONE)
    laptop.open()
    chooser = "/account/sessions/choose/"
    for _ in range(3):
        response = phone.open()
        assert (response.status_code, response["Location"]) == (303, chooser)
        assert phone.open(Accept="application/json").status_code == 409
    page = phone.get(chooser)
    assert page.status_code == 200
    _, fields = form(page)
    for forged in ({}, {"choice": "x"}, {"choice": fields["choice"], "cancel": "1"}):
        phone.post(chooser, {"end": str(laptop.row.pk), **forged})
    assert live(ada) == [laptop.row]

    phone.open()
    _, fields = form(phone.get(chooser))
    data = {"choice": fields["choice"], "end": str(laptop.row.pk)}
    response = phone.post(chooser, data)
    assert (response.status_code, response["Location"]) == (302, phone.path("members"))
    assert phone.open().status_code == 200
    assert laptop.open().status_code == 401
    assert len(live(ada)) == 1


def test_remote_user_who_is_somebody_else_by_now(ada, bob, remote, settings):
    """The second user is not shown the first user's question, and cannot answer it."""
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    chooser = "/account/sessions/choose/"
    adas, bobs = remote("ada", "Firefox"), remote("bob", "Firefox")
    adas.open()
    bobs.open()
    shared = remote("ada", PHONE)
    shared.open()
    _, fields = form(shared.get(chooser))
    data = {"choice": fields["choice"], "end": str(adas.row.pk)}

    shared.headers = {"X-Remote-User": "bob"}
    response = shared.post(chooser, data)
    assert response.status_code == 409
    _, fields = form(response)
    data = {"choice": fields["choice"], "end": str(bobs.row.pk)}
    assert shared.post(chooser, data).status_code == 302
    assert shared.name == "bob"
    assert adas.open().status_code == 200
    assert bobs.open().status_code == 401


def test_remote_user_whose_session_was_revoked_has_to_choose(ada, remote):
    laptop = remote("ada", "Firefox")
    laptop.open()
    registry.end_all(ada, Reason.REVOKED)
    for _ in range(3):
        page = laptop.open()
        assert page.status_code == 401
    laptop.post(*form(page))
    assert laptop.open().status_code == 200


def test_remote_user_costs_nothing_once_signed_in(ada, remote):
    laptop = remote("ada", "Firefox")
    laptop.open()
    with statements() as ran:
        laptop.open()
    assert len(ran) == stores.STATEMENTS


# Impersonation


@pytest.fixture
def hijack(settings, admin):
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "hijack"]
    settings.HIJACK_PERMISSION_CHECK = f"{__name__}.grace_may"
    settings.ROOT_URLCONF = "tests.stories.urls_hijack"


def grace_may(*, hijacker, hijacked):
    return hijacker.get_username() == "grace"


def test_impersonation_takes_no_place_and_displaces_nobody(
    hijack, admin, ada, browser, settings
):
    hers, his, another = browser(), browser(), browser()
    hers.sign_in("ada")
    his.sign_in("grace")

    his.post("/hijack/acquire/", {"user_pk": str(ada.pk)})
    assert his.name == "ada"
    assert hers.state == SIGNED_IN
    assert [row.counted for row in live(ada)] == [True, False]

    # She signs in elsewhere. That displaces her own session, and he goes on.
    another.sign_in("ada")
    assert hers.state == Reason.DISPLACED
    assert his.name == "ada"

    # Returning to his own account is a sign-in like any other, and takes a place.
    elsewhere = browser()
    elsewhere.sign_in("grace")
    his.post("/hijack/release/")
    assert his.name == "grace"
    assert his.row.counted
    assert elsewhere.state == Reason.DISPLACED
    assert another.name == "ada"
    assert len([row for row in live(ada) if not row.counted]) == 0


def test_impersonation_is_not_refused_under_deny(hijack, admin, ada, browser, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    hers, his = browser(), browser()
    hers.sign_in("ada")
    his.sign_in("grace")
    his.post("/hijack/acquire/", {"user_pk": str(ada.pk)})
    assert his.name == "ada"
    his.post("/hijack/release/")
    assert his.name == "grace"
    assert hers.name == "ada"


def test_an_impersonation_can_be_ended(hijack, admin, ada, browser):
    hers, his = browser(), browser()
    hers.sign_in("ada")
    his.sign_in("grace")
    his.post("/hijack/acquire/", {"user_pk": str(ada.pk)})
    registry.end_others(ada, hers.row.pk, Reason.REVOKED, by=ada)
    assert his.name is None
    assert hers.name == "ada"


def test_who_was_released_and_signs_in_again_takes_a_place(hijack, admin, ada, browser):
    """The second sign-in uses a password rather than the button that releases."""
    his, elsewhere = browser(), browser()
    his.sign_in("grace")
    his.post("/hijack/acquire/", {"user_pk": str(ada.pk)})
    his.post("/hijack/release/")
    his.sign_in("grace")
    assert [row.counted for row in live(admin)] == [True]
    elsewhere.sign_in("grace")
    assert his.state == Reason.DISPLACED
