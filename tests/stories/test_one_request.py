"""One request does several things: sign-ins are repeated, refused and undone."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.db import connections

from session_limit.models import UserSession
from session_limit.testing import PHONE
from tests.stories import views
from tests.stories.people import (
    JSON,
    SIGNED_IN,
    Visitor,
    live,
    make_user,
    only_kept,
    reasons,
    set_cookie,
)

Reason = UserSession.Reason


@pytest.fixture
def atomic_requests():
    connections.settings["default"]["ATOMIC_REQUESTS"] = True
    yield
    connections.settings["default"]["ATOMIC_REQUESTS"] = False


def play(visitor, *acts):
    """Do these things in one request, in this order."""
    path = visitor.path("play")
    return visitor.post(path, {"acts": " ".join(acts)})


def test_what_a_view_knows_right_after_signing_in(ada, laptop):
    response = play(laptop, "login:ada", "current")
    (row,) = live(ada)
    assert response.json() == [row.pk.hex]
    assert laptop.state == SIGNED_IN


def test_signing_in_and_out(ada, laptop):
    play(laptop, "login:ada", "logout")
    assert laptop.name is None
    assert live() == []
    assert reasons() == [Reason.SIGNED_OUT]
    assert only_kept()


def test_signing_out_and_in_again(ada, laptop):
    laptop.sign_in()
    thief = laptop.twin()
    play(laptop, "logout", "login:ada")
    assert laptop.state == SIGNED_IN
    assert len(live(ada)) == 1
    assert thief.state == Reason.SIGNED_OUT


def test_signing_in_twice(ada, laptop):
    play(laptop, "login:ada", "login:ada")
    assert laptop.state == SIGNED_IN
    assert len(live(ada)) == 1


def test_signing_in_one_after_the_other(ada, bob, laptop):
    play(laptop, "login:ada", "login:bob")
    assert laptop.name == "bob"
    assert live(ada) == []
    assert len(live(bob)) == 1
    play(laptop, "login:ada", "login:bob", "login:ada")
    assert laptop.name == "ada"
    assert live(bob) == []
    assert len(live(ada)) == 1
    assert only_kept(laptop)


@pytest.mark.parametrize(
    "acts", ["login:bob", "login:ada login:bob", "login:bob cycle"]
)
def test_displaced_before_the_answer_to_the_sign_in(ada, bob, laptop, acts):
    """Signing in as another user leaves Django's session without a key."""
    laptop.sign_in("ada")
    other = Visitor(PHONE)
    views.meanwhile.append(lambda: other.sign_in("bob"))
    response = play(laptop, *acts.split(), "meanwhile", "write")
    assert response.status_code == 401
    assert laptop.name is None
    assert other.name == "bob"
    assert len(live()) == 1
    assert only_kept(other)


def test_signing_in_and_rotating_the_key(ada, laptop, phone):
    play(laptop, "login:ada", "cycle", "cycle")
    assert laptop.state == SIGNED_IN
    assert only_kept(laptop)
    phone.sign_in()
    assert laptop.state == Reason.DISPLACED


@pytest.mark.parametrize("emptying", ["flush", "clear"])
def test_signing_in_and_emptying_the_session(ada, laptop, emptying):
    play(laptop, "login:ada", emptying)
    assert laptop.name is None
    assert live() == []
    play(laptop, "login:ada", emptying, "login:ada")
    assert laptop.state == SIGNED_IN
    assert len(live(ada)) == 1


def test_signing_in_and_saving(ada, laptop):
    play(laptop, "login:ada", "write", "save", "write", "save")
    assert laptop.state == SIGNED_IN
    assert laptop.stored["writes"] == 2


def test_who_a_refused_sign_in_is_to_the_view(ada, laptop, phone, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    response = play(phone, "who", "login:ada", "who", "current")
    assert response.status_code == 403
    assert views.seen == [None, "refused", None, None]
    assert phone.name is None


def test_a_refused_sign_in_and_then_another(ada, bob, laptop, phone, settings):
    """The last sign-in of the request decides on the answer."""
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in("ada")
    response = play(phone, "login:ada", "login:bob")
    assert response.status_code == 200
    assert phone.name == "bob"
    assert laptop.name == "ada"
    assert len(live()) == 2


def test_a_refused_sign_in_and_what_is_written_then(ada, laptop, phone, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    phone.write()
    key = phone.cookie
    response = play(phone, "login:ada", "write")
    assert response.status_code == 403
    assert phone.cookie == key
    assert phone.name is None
    assert only_kept(laptop, phone)


def test_a_view_that_undoes_its_sign_in_with_a_404(
    ada, laptop, phone, browser, atomic_requests
):
    """
    ``ATOMIC_REQUESTS`` rolls the sign-in back, but Django would still save the session
    that was created for it.
    """
    laptop.sign_in(path="/login/")
    cookies = [None]
    other = browser(PHONE)
    other.get("/write/")
    cookies.append(other.cookie)
    for visitor, cookie in zip((phone, other), cookies, strict=True):
        response = visitor.post("/play/", {"acts": "login:ada missing"})
        assert response.status_code == 404
        assert set_cookie(response) is None
        assert visitor.cookie == cookie
        assert visitor.get("/whoami/").json() == {"user": None}
        assert laptop.get("/whoami/").json() == {"user": "ada"}
    assert other.get("/write/").json() == {"user": None, "n": 2}
    assert len(live(ada)) == 1
    assert reasons() == []


def test_a_sign_in_rolled_back_by_hand(ada, laptop, phone, atomic_requests):
    laptop.sign_in(path="/login/")
    response = phone.post("/play/", {"acts": "login:ada rollback"})
    assert response.status_code == 200
    assert phone.get("/whoami/").json() == {"user": None}
    assert laptop.get("/whoami/").json() == {"user": "ada"}
    assert len(live(ada)) == 1


def test_under_atomic_requests_all_is_as_ever(ada, bob, laptop, phone, atomic_requests):
    laptop.sign_in(path="/login/")
    phone.sign_in(path="/login/")
    assert phone.get("/members/").status_code == 200
    assert laptop.get("/members/", headers=JSON).json()["reason"] == "displaced"
    phone.post("/logout/")
    assert live() == []
    laptop.sign_in("bob", path="/login/")
    laptop.sign_in("ada", path="/login/")
    assert laptop.get("/whoami/").json() == {"user": "ada"}
    assert live(bob) == []


# Automatic sign-ins: a page that signs people in when it is fetched


def test_silent_sign_on_does_not_displace_by_itself(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    for destination in ("iframe", "empty", "script"):
        headers = {"Sec-Fetch-Dest": destination, "Sec-Fetch-Mode": "cors"}
        response = laptop.get("/silent/", headers=headers)
        assert response.status_code == 401
        assert phone.state == SIGNED_IN
    assert laptop.state == Reason.DISPLACED
    assert len(live(ada)) == 1


def test_silent_sign_on_signs_a_new_visitor_in(ada, laptop, phone):
    phone.sign_in()
    response = laptop.get("/silent/", headers={"Sec-Fetch-Dest": "iframe"})
    assert response.status_code == 302
    assert laptop.state == SIGNED_IN
    assert phone.state == Reason.DISPLACED


def test_a_link_that_a_person_follows_signs_in(ada, laptop, phone):
    """The link may be in a mail, for example."""
    laptop.sign_in()
    phone.sign_in()
    headers = {"Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate"}
    assert laptop.get("/silent/", headers=headers).status_code == 302
    assert laptop.state == SIGNED_IN


def test_a_form_that_a_script_sends_signs_in(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    headers = {"Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors"}
    assert laptop.sign_in(headers=headers).status_code == 302
    assert laptop.state == SIGNED_IN


# Accounts and backends that change


def test_a_backend_taken_out_of_the_settings_ends_nobody(ada, laptop, settings):
    laptop.sign_in()
    backends = settings.AUTHENTICATION_BACKENDS
    settings.AUTHENTICATION_BACKENDS = [
        "django.contrib.auth.backends.RemoteUserBackend"
    ]
    assert laptop.name is None
    settings.AUTHENTICATION_BACKENDS = backends
    assert laptop.state == SIGNED_IN


def test_an_account_made_again_under_the_same_key(ada, laptop):
    laptop.sign_in()
    pk = ada.pk
    stored = laptop.stored
    get_user_model().objects.filter(pk=pk).delete()
    again = make_user("ada", pk=pk) if pk != "ada" else make_user("ada")
    assert again.pk == pk
    assert laptop.name is None
    # The stored session is restored, and still authenticates nobody.
    laptop.stored = stored
    assert laptop.name is None
    assert live() == []


def test_keys_set_by_hand_in_a_displaced_browser_displace_nobody(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    laptop.post("/by-hand/", {"name": "ada"})
    assert laptop.name is None
    assert phone.state == SIGNED_IN
    assert laptop.state == Reason.DISPLACED


# A view that fails after it has signed somebody in. No cookie reaches the browser.


@pytest.fixture
def deny(settings):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"


def fail(visitor):
    visitor.client.raise_request_exception = False
    return visitor.post("/sign-in-then-fail/", {"name": "ada"})


def test_a_view_that_fails_after_signing_in(ada, laptop, phone, deny):
    """Fails if a session that nobody can use locks its user out."""
    assert fail(laptop).status_code == 500
    assert live() == []
    assert reasons() == [Reason.SIGNED_OUT]
    assert only_kept()
    phone.sign_in()
    assert phone.state == SIGNED_IN


def test_a_view_that_answers_with_a_server_error(ada, laptop, phone, deny):
    assert play(laptop, "login:ada", "unavailable").status_code == 503
    assert live() == []
    phone.sign_in()
    assert phone.state == SIGNED_IN


def test_a_sign_in_that_fails_in_a_transaction(ada, laptop, atomic_requests):
    assert fail(laptop).status_code == 500
    assert UserSession.objects.count() == 0
    assert only_kept()


def test_a_sign_in_that_fails_keeps_the_cart(ada, laptop, deny):
    laptop.post("/cart/", {"cart": "tea"})
    response = fail(laptop)
    assert set_cookie(response) is None
    assert laptop.stored["cart"] == "tea"
    laptop.sign_in()
    assert laptop.state == SIGNED_IN


def test_a_switch_that_fails_leaves_nobody_signed_in(ada, bob, laptop, deny):
    laptop.sign_in("bob")
    assert fail(laptop).status_code == 500
    assert laptop.name is None
    assert live() == []


def test_signing_in_again_keeps_the_session_if_the_view_fails(ada, laptop, deny):
    """Fails if a session ends whose cookie the browser has."""
    laptop.sign_in()
    assert fail(laptop).status_code == 500
    assert laptop.state == SIGNED_IN


def test_a_new_key_after_signing_in_again_ends_nothing(ada, laptop, deny):
    """The session began in an earlier request, whose cookie the browser has."""
    laptop.sign_in()
    assert play(laptop, "login:ada", "cycle", "unavailable").status_code == 503
    assert reasons() == []
