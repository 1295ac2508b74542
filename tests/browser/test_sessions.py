"""Test the list of an account's sessions, and how to sign them out there."""

from __future__ import annotations

import re

import pytest

from example.people import PASSWORDS
from tests.browser.visitor import LAPTOP, PHONE, TABLET

ADA, GRACE = PASSWORDS["ada"], PASSWORDS["grace"]
LIST = "/account/sessions/"
HEADING = "Where you're signed in"
# The button's name contains the device and the time of its sign-in.
THE_PHONE = re.compile("^Sign out Chrome on Android, signed in ")


@pytest.fixture
def stale(serve):
    """Serve a site that never counts a sign-in as fresh."""
    return serve(SESSION_LIMIT=3, SESSION_LIMIT_REAUTHENTICATION_AGE=0)


def test_one_is_signed_out_from_the_list(serve, visitor, way):
    site = serve(SESSION_LIMIT=3)
    laptop, phone = visitor(site, LAPTOP, way), visitor(site, PHONE, way)
    phone.sign_in("ada", ADA)
    laptop.sign_in("ada", ADA)
    laptop.press("Devices")
    assert laptop.heading == HEADING
    assert "Signed in on 2 of 3 devices" in laptop.text
    laptop.press(THE_PHONE)
    assert laptop.path.partition("?")[0] == LIST
    assert "Chrome on Android" in laptop.page.get_by_role("status").inner_text()
    assert "Signed in on 1 of 3 devices" in laptop.text
    phone.reload()
    assert phone.heading == "You're signed out here"
    assert "signed out from your account's list of devices" in phone.text


def test_all_others_are_signed_out_at_once(serve, visitor, way):
    site = serve(SESSION_LIMIT=3)
    laptop = visitor(site, LAPTOP, way)
    others = [visitor(site, PHONE), visitor(site, TABLET)]
    for other in others:
        other.sign_in("ada", ADA)
    laptop.sign_in("ada", ADA, LIST)
    laptop.press("Sign out all others")
    assert laptop.heading == "Sign out 2 other devices?"
    laptop.press("Cancel")
    laptop.press("Sign out all others")
    laptop.press("Sign out 2 devices")
    assert laptop.path.partition("?")[0] == LIST
    assert "Signed in on 1 of 3 devices" in laptop.text
    for other in others:
        other.reload()
        assert other.heading == "You're signed out here"


def test_password_is_asked_where_the_sign_in_is_not_fresh(stale, visitor, way):
    laptop, phone = visitor(stale, LAPTOP, way), visitor(stale, PHONE)
    phone.sign_in("ada", ADA)
    laptop.sign_in("ada", ADA, LIST)
    laptop.press(THE_PHONE)
    laptop.fill("Password", GRACE)
    laptop.press("Sign out", within="main")
    assert laptop.page.get_by_label("Password").get_attribute("aria-invalid") == "true"
    phone.reload()
    assert "You are signed in as ada." in phone.text
    laptop.fill("Password", ADA)
    laptop.press("Sign out", within="main")
    assert laptop.path.partition("?")[0] == LIST
    phone.reload()
    assert phone.heading == "You're signed out here"
    laptop.reload()
    assert laptop.heading == HEADING


def test_ones_own_is_signed_out_without_a_password(stale, visitor, way):
    laptop = visitor(stale, LAPTOP, way)
    laptop.sign_in("ada", ADA, LIST)
    laptop.press("Sign out of this device")
    assert laptop.heading == "Sign out of this device?"
    laptop.press("Sign out", within="main")
    laptop.open("/members/")
    assert laptop.heading == "Sign in"


def test_back_after_an_ending_ends_nothing_more(serve, visitor):
    site = serve(SESSION_LIMIT=3)
    laptop, phone = visitor(site, LAPTOP), visitor(site, PHONE)
    phone.sign_in("ada", ADA)
    laptop.sign_in("ada", ADA, LIST)
    laptop.press(THE_PHONE)
    laptop.back()
    phone.reload()
    phone.press("Sign in")
    phone.fill("User name", "ada")
    phone.fill("Password", ADA)
    phone.press("Sign in")
    laptop.reload()
    assert "Signed in on 2 of 3 devices" in laptop.text
    phone.reload()
    assert "You are signed in as ada." in phone.text
