"""A user model that does not derive from ``AbstractBaseUser`` works in all pages."""

from __future__ import annotations

import re

import pytest

from session_limit import registry
from session_limit.models import EndReason, UserSession
from session_limit.registry import connected
from tests.stories.people import JSON, live, make_user, reasons
from tests.stories.test_choosing import CHOOSE, HTML, code
from tests.tables.models import Plain

PASSWORD = "correct horse"
NAME = "007"


@pytest.fixture
def bond():
    return Plain.objects.create_user(NAME, PASSWORD)


@pytest.mark.parametrize(
    ("policy", "second", "first"),
    [("displace", 200, 401), ("deny", 403, 200), ("ask", 303, 200)],
)
def test_signing_in(bond, laptop, phone, settings, policy, second, first):
    settings.SESSION_LIMIT_AT_LIMIT = policy
    assert laptop.sign_in(NAME).status_code == 200
    assert laptop.open().content == NAME.encode()
    assert phone.sign_in(NAME, headers=HTML).status_code == second
    assert laptop.open(**JSON).status_code == first
    assert len(live(bond)) == 1


def test_choosing(bond, laptop, phone, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    laptop.sign_in(NAME)
    phone.sign_in(NAME, headers=HTML)
    page = phone.get(CHOOSE, headers=HTML)
    data = {"choice": code(page), "end": "all"}
    assert phone.post(CHOOSE, data, headers=HTML).status_code == 302
    assert phone.open().status_code == 200
    assert laptop.open(**JSON).status_code == 401


def test_signing_out(bond, laptop):
    laptop.sign_in(NAME)
    assert laptop.sign_out().status_code == 200
    assert reasons() == [EndReason.SIGNED_OUT]


def test_switching_users(bond, laptop):
    make_user("008", PASSWORD)
    laptop.sign_in(NAME)
    laptop.sign_in("008")
    assert laptop.open().content == b"008"
    assert live(bond) == []


def test_the_pages_of_the_package(bond, laptop, phone, settings):
    settings.SESSION_LIMIT = 2
    laptop.sign_in(NAME)
    phone.sign_in(NAME)
    assert laptop.get("/account/sessions/").status_code == 200
    UserSession.objects.update(authenticated_at="2020-01-01T00:00Z")
    page = laptop.get(f"/account/sessions/{phone.row.pk}/end/")
    assert page.status_code == 200
    # The model does not say that the user has a password to ask for.
    assert re.search(r'href="/login/\?next=', page.content.decode())


def test_a_mail_about_a_new_browser(bond, laptop, phone, settings, mailoutbox):
    """The model has no address. Fails if the sign-in fails for want of one."""
    settings.SESSION_LIMIT_NEW_SIGN_IN = "mail"
    settings.SESSION_LIMIT = 2
    laptop.sign_in(NAME)
    assert phone.sign_in(NAME).status_code == 200
    assert mailoutbox == []


def test_saving_and_deleting(bond, laptop):
    laptop.sign_in(NAME)
    bond.save()
    assert len(live(bond)) == 1
    bond.delete()
    assert not UserSession.objects.live().exists()


def test_verification(bond, laptop):
    """Fails if a session counts as one whose credentials have changed."""
    laptop.sign_in(NAME)
    [row] = live(bond)
    assert not connected.standings([row.pk], thorough=True)[row.pk].reason
    assert registry.enforce(bond) == []


def test_a_session_from_before_the_package(bond, laptop):
    laptop.sign_in(NAME)
    data = laptop.stored
    UserSession.objects.filter(pk=data.pop("_session_limit_id")).delete()
    laptop.stored = data
    assert laptop.open().status_code == 200
    assert len(live(bond)) == 1
