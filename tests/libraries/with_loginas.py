"""django-loginas: an administrator signed in as somebody else, and back again."""

from __future__ import annotations

import pytest
from django.contrib.auth.signals import user_logged_in

from session_limit import registry
from session_limit.models import UserSession
from session_limit.testing import PHONE
from tests.stories.people import SIGNED_IN, live, make_user, set_cookie

Reason = UserSession.Reason


@pytest.fixture(autouse=True)
def grace(db):
    return make_user("grace", is_superuser=True, is_staff=True)


@pytest.fixture(autouse=True)
def receivers(monkeypatch):
    """loginas takes Django's own receiver away, and puts it back where it likes."""
    monkeypatch.setattr(user_logged_in, "receivers", [*user_logged_in.receivers])


@pytest.fixture
def hers(ada, browser):
    """Ada's browser, in which she is signed in."""
    hers = browser(PHONE)
    hers.sign_in("ada")
    return hers


@pytest.fixture
def admins(grace, browser):
    """An administrator's browser, in which she is signed in."""
    admins = browser()
    admins.sign_in("grace", path="/admin/login/")
    return admins


def impersonate(admins, user):
    response = admins.post(f"/as/login/user/{user.pk}/")
    assert response.status_code == 302
    assert admins.name == user.username


def test_impersonation_takes_no_place_and_displaces_nobody(ada, hers, admins, browser):
    impersonate(admins, ada)
    assert hers.state == SIGNED_IN
    assert [row.counted for row in live(ada)] == [True, False]

    # She signs in elsewhere: her own sign-in makes room, and the other one goes on.
    another = browser()
    another.sign_in("ada")
    assert hers.state == Reason.DISPLACED
    assert another.state == SIGNED_IN
    assert admins.name == "ada"


def test_impersonation_is_not_refused(ada, hers, admins, deny):
    impersonate(admins, ada)
    assert hers.state == SIGNED_IN
    admins.get("/as/logout/")
    assert admins.name == "grace"
    assert hers.state == SIGNED_IN


def test_an_impersonation_can_be_ended(ada, hers, admins):
    impersonate(admins, ada)
    registry.end_others(ada, hers.row.pk, Reason.REVOKED, by=ada)
    assert admins.state == Reason.REVOKED
    assert hers.state == SIGNED_IN


def test_coming_back_is_a_sign_in_like_any_other(ada, grace, admins, browser):
    impersonate(admins, ada)
    assert live(grace) == []
    elsewhere = browser()
    elsewhere.sign_in("grace")

    assert admins.get("/as/logout/").status_code == 302
    assert admins.name == "grace"
    assert admins.row.counted
    assert elsewhere.state == Reason.DISPLACED
    assert live(ada) == []


def test_coming_back_is_refused_where_the_place_was_taken(
    ada, grace, admins, browser, deny
):
    impersonate(admins, ada)
    elsewhere = browser()
    elsewhere.sign_in("grace")

    response = admins.get("/as/logout/")
    assert response.status_code == 403
    assert set_cookie(response) in {None, ""}
    assert admins.name is None
    assert elsewhere.state == SIGNED_IN
    assert live(ada) == []
