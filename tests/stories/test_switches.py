"""Somebody is signed in, and another person's sign-in in that browser is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings as project_settings
from django.contrib.auth.signals import user_logged_in

from session_limit import registry
from session_limit.models import EndReason, UserSession
from tests import stores
from tests.stories import views
from tests.stories.people import (
    NOBODY,
    SIGNED_IN,
    live,
    make_user,
    only_kept,
    reasons,
    set_cookie,
)
from tests.stories.test_choosing import CHOOSE, HTML, choose

Reason = UserSession.Reason


@pytest.fixture(params=["deny", "ask"])
def policy(request, settings):
    settings.SESSION_LIMIT_AT_LIMIT = request.param
    return request.param


@pytest.fixture
def shared(ada, bob, laptop, phone, policy):
    """Sign ada in on the laptop, and bob on the phone. ada has no place left."""
    laptop.sign_in("ada")
    phone.sign_in("bob")
    phone.post("/cart/", {"cart": "tea"})
    return phone


def act(visitor, acts, **kwargs):
    """Do these acts in one request, and return the results and the response."""
    views.seen.clear()
    response = visitor.post(visitor.path("play"), {"acts": acts}, **kwargs)
    return [each for each in views.seen if each is not None], response


def test_a_refused_sign_in_keeps_the_other_persons_session(shared, bob):
    """Fails if ``login()`` ends, empties or renames the session of somebody else."""
    cookie, stored, [row] = shared.cookie, shared.stored, live(bob)
    response = shared.sign_in("ada", headers=HTML)
    assert response.status_code in {303, 403}
    assert set_cookie(response) is None
    assert shared.cookie == cookie
    assert shared.stored == stored
    assert live(bob) == [row]
    assert reasons() == []
    assert (shared.state, shared.name) == (SIGNED_IN, "bob")


def test_the_same_request_continues_as_the_other_person(shared):
    """The view caught the error, and then reads the user and writes."""
    seen, _ = act(shared, "login:ada who current")
    row = shared.row
    assert seen == ["refused", "bob", row.pk.hex]
    assert shared.name == "bob"


def test_what_the_request_had_written_before_is_kept(shared):
    act(shared, "write login:ada")
    assert shared.name == "bob"
    assert shared.stored["writes"] == 1
    assert shared.stored["cart"] == "tea"


def test_csrf_tokens_in_other_tabs_stay_valid(shared, settings):
    """Django changes the token at each sign-in. Fails if a refusal sends another."""
    response = shared.sign_in("ada")
    assert project_settings.CSRF_COOKIE_NAME not in response.cookies


def test_csrf_tokens_in_the_session_stay_valid(ada, bob, laptop, phone, settings):
    settings.CSRF_USE_SESSIONS = True
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in("ada")
    phone.sign_in("bob")
    token = phone.stored.get("_csrftoken")
    assert token
    assert phone.sign_in("ada").status_code == 403
    assert phone.stored.get("_csrftoken") == token
    assert phone.name == "bob"


@pytest.mark.parametrize("way", ["logout", "flush"])
def test_after_a_sign_out_in_the_same_request_there_is_nobody_to_restore(
    shared, bob, way
):
    """Fails if a refusal undoes what the view did on purpose."""
    assert act(shared, f"{way} login:ada who")[0] == ["refused"]
    assert live(bob) == []
    assert reasons() == [Reason.SIGNED_OUT]
    assert shared.name is None


def test_an_admitted_sign_in_ends_the_other_persons_session(shared, ada, bob, laptop):
    """Fails if the session of somebody else is kept, or its stored data."""
    laptop.sign_out()
    assert shared.sign_in("ada").status_code == 302
    assert live(bob) == []
    assert reasons() == [Reason.SIGNED_OUT] * 2
    assert shared.name == "ada"
    assert only_kept(shared)


def test_a_choice_ends_the_other_persons_session(shared, ada, bob, settings, policy):
    if policy != "ask":
        pytest.skip("nobody is asked")
    assert shared.sign_in("ada", headers=HTML).status_code == 303
    [theirs] = live(ada)
    assert shared.state == SIGNED_IN
    assert choose(shared, theirs.pk).status_code == 302
    assert shared.name == "ada"
    assert live(bob) == []
    assert set(reasons()) == {Reason.DISPLACED, Reason.SIGNED_OUT}


def test_cancelling_leaves_the_other_person_signed_in(shared, policy):
    if policy != "ask":
        pytest.skip("nobody is asked")
    shared.sign_in("ada", headers=HTML)
    page = shared.get(CHOOSE, headers=HTML)
    assert choose(shared, page=page, cancel="1").status_code == 302
    assert shared.name == "bob"


@pytest.mark.parametrize("then", ["", " write", " save"])
def test_an_error_in_the_sign_in_keeps_the_other_persons_session(shared, bob, then):
    """
    ``login()`` raises an error after it has flushed the session. Fails if whoever was
    signed in is then signed out, or stays signed in without a row.
    """
    [row] = live(bob)
    seen, response = act(shared, f"break:ada{then}")
    assert seen[0] == "broken"
    assert response.status_code == 200
    assert live(bob) == [row]
    assert shared.name == "bob"
    assert shared.row == row


@pytest.mark.parametrize("then", ["logout", "flush"])
def test_signing_out_after_an_error_signs_the_other_person_out(shared, bob, then):
    """Fails if the session that ``login()`` had put aside comes back."""
    act(shared, f"break:ada {then}")
    assert live(bob) == []
    assert shared.name is None


def test_signing_in_after_an_error(shared, ada, bob, laptop):
    """The second ``login()`` finds an empty session. Fails if it forgets bob's."""
    laptop.sign_out()
    act(shared, "break:ada login:ada")
    assert live(bob) == []
    assert shared.name == "ada"
    assert only_kept(shared)


def test_being_refused_after_an_error(shared, bob):
    assert act(shared, "break:ada login:ada who")[0] == ["broken", "refused", "bob"]
    assert shared.name == "bob"


def test_two_sign_ins_in_one_request(shared, ada, bob):
    """The first is admitted, and the second is refused: the first one stands."""
    make_user("cid")
    seen, _ = act(shared, "login:cid login:ada who")
    assert seen == ["refused", "cid"]
    assert shared.name == "cid"
    assert live(bob) == []
    assert len(live()) == 2
    assert shared.state == SIGNED_IN


@stores.KEPT
def test_the_other_persons_session_is_ended_meanwhile(shared, bob):
    """Fails if a refusal brings a session back that has ended in the meantime."""
    views.meanwhile.append(lambda: registry.end_all(bob, EndReason.REVOKED))
    seen, _ = act(shared, "write login:ada meanwhile")
    assert seen == ["refused"]
    assert live(bob) == []
    assert shared.state == Reason.REVOKED


@stores.KEPT
def test_another_tab_changes_the_key_meanwhile(shared, bob):
    """Fails if a refusal stores data under a key that is no longer in use."""
    tab = shared.twin()
    views.meanwhile.append(lambda: tab.get(tab.path("cycle")))
    act(shared, "write login:ada meanwhile")
    assert tab.state == SIGNED_IN
    assert len(live(bob)) == 1
    assert not stores.read(shared.cookie)


def test_a_sign_in_in_the_body_of_a_response(ada, bob, phone):
    """Fails if a sign-in that comes too late signs out whoever was signed in."""
    phone.sign_in("bob")
    [row] = live(bob)
    response = phone.get(phone.path("stream"))
    if not phone.is_async:
        b"".join(response.streaming_content)
        assert views.raised[-1] == "bob"
    assert live(bob) == [row]
    assert phone.name == "bob"


# What a receiver, or a view, does to values in the session


@pytest.fixture
def first():
    """Return a function that connects a receiver of sign-ins before all others."""
    connected = []

    def connect(receiver):
        user_logged_in.connect(receiver, weak=False)
        user_logged_in.receivers.insert(0, user_logged_in.receivers.pop())
        user_logged_in.sender_receivers_cache.clear()
        connected.append(receiver)

    yield connect
    for receiver in connected:
        user_logged_in.disconnect(receiver)


def empty_basket(sender, request, user, **kwargs):
    request.session["basket"]["items"].clear()
    request.session.modified = True


@stores.KEPT
def test_a_receiver_that_empties_a_basket(ada, laptop, phone, policy, first):
    """Fails if a refusal restores the same list, which is empty by then."""
    basket = {"items": [["tea"], {"n": [1, 2]}]}
    laptop.sign_in()
    phone.write()
    phone.stored = {**phone.stored, "basket": basket}
    first(empty_basket)
    phone.sign_in()
    assert phone.stored["basket"] == basket
    assert phone.state == NOBODY


@stores.KEPT
def test_a_receiver_that_empties_the_basket_of_somebody_else(shared, first):
    def empty(sender, request, user, **kwargs):
        request.session.setdefault("basket", {"items": []})["items"].append("new")

    shared.stored = {**shared.stored, "basket": {"items": ["tea"]}}
    first(empty)
    shared.sign_in("ada")
    assert shared.stored["basket"] == {"items": ["tea"]}


@stores.KEPT
def test_an_empty_session_keeps_its_key(ada, laptop, phone, policy):
    """
    A guest's basket may be kept elsewhere, under the session's key. Fails if a refusal
    deletes an empty session.
    """
    laptop.sign_in()
    phone.write()
    phone.stored, key = {}, phone.cookie
    response = phone.sign_in()
    assert set_cookie(response) is None
    assert phone.cookie == key
    assert stores.engine()().exists(key)


def test_a_key_that_the_client_made_up_is_not_stored(ada, laptop, phone, policy):
    laptop.sign_in()
    phone.cookie = "b" * 32
    phone.sign_in()
    if not stores.is_cookie():
        assert not stores.engine()().exists("b" * 32)


# The expiry


@pytest.mark.parametrize("seconds", [0, 3600])
def test_an_expiry_from_before_the_sign_in(
    ada, laptop, phone, first, settings, seconds
):
    """A receiver sets the expiry, as "Remember me" does. A choice keeps it."""

    def expire(sender, request, user, **kwargs):
        request.session.set_expiry(seconds)

    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    first(expire)
    laptop.sign_in()
    phone.sign_in(headers=HTML)
    choose(phone, live()[0].pk)
    assert phone.stored["_session_expiry"] == seconds
    [row] = live()
    left = row.expires_at - row.created_at
    assert (left < timedelta(days=1)) == (seconds == 3600)
