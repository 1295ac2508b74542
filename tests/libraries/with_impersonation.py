"""Test signing in as somebody else with django-loginas and django-hijack."""

from __future__ import annotations

import pytest
from django.contrib.auth.signals import user_logged_in

from session_limit import registry
from session_limit.models import UserSession
from session_limit.testing import PHONE
from tests.libraries.cells import choose
from tests.stories.people import JSON, SIGNED_IN, live, make_user, reasons, set_cookie

Reason = UserSession.Reason


@pytest.fixture(autouse=True)
def receivers(monkeypatch):
    """
    Restore the receivers after each test, because both libraries disconnect the one
    that writes ``last_login``, and reconnect it last or not at all.
    """
    before = user_logged_in.receivers
    monkeypatch.setattr(user_logged_in, "receivers", [*before])
    return before


@pytest.fixture
def grace(db):
    return make_user("grace", is_superuser=True, is_staff=True)


class LoginAs:
    def begin(self, admins, user):
        return admins.post(f"/as/login/user/{user.pk}/")

    def end(self, admins):
        return admins.get("/as/logout/")


class Hijack:
    def begin(self, admins, user):
        return admins.post("/hijack/acquire/", {"user_pk": str(user.pk)})

    def end(self, admins):
        return admins.post("/hijack/release/")


@pytest.fixture(params=[LoginAs, Hijack])
def impersonation(request):
    return request.param()


@pytest.fixture
def hers(ada, browser):
    """Return the browser in which Ada is signed in."""
    hers = browser(PHONE)
    hers.sign_in("ada")
    return hers


@pytest.fixture
def admins(grace, browser):
    """Return the browser in which the administrator is signed in."""
    admins = browser()
    admins.sign_in("grace", path="/admin/login/")
    return admins


def test_it_takes_no_place_and_displaces_nobody(
    ada, hers, admins, impersonation, browser
):
    assert impersonation.begin(admins, ada).status_code == 302
    assert admins.name == "ada"
    assert hers.state == SIGNED_IN
    assert [row.counted for row in live(ada)] == [True, False]

    # Ada's new sign-in displaces her own session, and the impersonation goes on.
    another = browser()
    another.sign_in("ada")
    assert hers.state == Reason.DISPLACED
    assert another.state == SIGNED_IN
    assert admins.name == "ada"


@pytest.mark.parametrize("at_limit", ["displace", "deny", "ask", "observe"])
def test_no_policy_is_for_it(ada, hers, admins, impersonation, settings, at_limit):
    settings.SESSION_LIMIT_AT_LIMIT = at_limit
    assert impersonation.begin(admins, ada).status_code == 302
    assert admins.name == "ada"
    assert hers.state == SIGNED_IN
    # Django emptied the administrator's own session when the impersonation began.
    assert reasons() == [Reason.SIGNED_OUT]
    assert [row.counted for row in live()] == [True, False]
    assert impersonation.end(admins).status_code == 302
    assert admins.name == "grace"
    assert hers.state == SIGNED_IN


def test_it_can_be_ended(ada, hers, admins, impersonation):
    impersonation.begin(admins, ada)
    registry.end_others(ada, hers.row.pk, Reason.REVOKED, by=ada)
    assert admins.state == Reason.REVOKED
    assert hers.state == SIGNED_IN


def test_it_ends_none_of_the_accounts_sessions(ada, hers, admins, impersonation):
    impersonation.begin(admins, ada)
    her_address = f"/account/sessions/{hers.row.pk}/end/"
    for path in (her_address, "/account/sessions/end-others/"):
        assert b'name="password"' in admins.post(path).content
        assert admins.post(path, headers=JSON).status_code == 403
    assert hers.state == SIGNED_IN
    # The package must not take Ada's session for the administrator's.
    impersonation.end(admins)
    hers.post(her_address)
    assert live(ada) == []


def test_coming_back_is_a_sign_in_like_any_other(
    ada, grace, admins, impersonation, browser
):
    impersonation.begin(admins, ada)
    assert live(grace) == []
    elsewhere = browser()
    elsewhere.sign_in("grace")

    assert impersonation.end(admins).status_code == 302
    assert admins.name == "grace"
    assert admins.row.counted
    assert elsewhere.state == Reason.DISPLACED
    assert live(ada) == []


@pytest.fixture
def refused(ada, admins, impersonation, browser, deny):
    """Return the answer to an administrator who comes back after losing their place."""
    impersonation.begin(admins, ada)
    elsewhere = browser()
    elsewhere.sign_in("grace")
    response = impersonation.end(admins)
    assert elsewhere.state == SIGNED_IN
    return response


def test_coming_back_is_refused_where_the_place_was_taken(
    refused, ada, admins, impersonation
):
    assert refused.status_code == 403
    assert b"already, which is as many as it may." in refused.content
    assert not set_cookie(refused)
    # loginas signs out before it signs in again. hijack does both in one transaction.
    goes_on = isinstance(impersonation, Hijack)
    assert admins.name == ("ada" if goes_on else None)
    assert len(live(ada)) == (1 if goes_on else 0)


def test_coming_back_is_asked_about_where_the_place_was_taken(
    ada, grace, admins, impersonation, browser, settings
):
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    impersonation.begin(admins, ada)
    elsewhere = browser()
    elsewhere.sign_in("grace")
    response = impersonation.end(admins)
    assert response.status_code == 303
    assert elsewhere.state == SIGNED_IN

    choose(admins, response, elsewhere.row.pk)
    assert admins.name == "grace"
    assert elsewhere.state == Reason.DISPLACED
    assert live() == [admins.row]


def records_last_login():
    user = make_user("bob")
    user_logged_in.send(sender=type(user), request=None, user=user)
    return user.last_login is not None


def test_what_docs_warn_of(refused):
    """Test the warning in docs/how-to/libraries.md. If this fails, drop the warning."""
    assert not records_last_login()


@pytest.fixture
def update_last_login(monkeypatch):
    monkeypatch.setattr("loginas.settings.UPDATE_LAST_LOGIN", True)


@pytest.mark.parametrize("impersonation", [LoginAs()], ids=["LoginAs"])
def test_what_docs_say_to_set(update_last_login, receivers, refused):
    assert records_last_login()
    assert user_logged_in.receivers == receivers


def test_it_sees_the_sessions_of_whom_it_shows_and_ends_none_without_the_password(
    ada, hers, admins, impersonation
):
    row = hers.row
    impersonation.begin(admins, ada)
    answer = admins.get("/account/sessions/", headers=JSON).json()
    own, other = answer["sessions"]
    assert (own["is_current"], other["id"]) == (True, str(row.pk))
    assert answer["in_use"] == 1
    page = admins.post(f"/account/sessions/{row.pk}/end/")
    assert b'name="password"' in page.content
    assert hers.state == SIGNED_IN
