"""Test the page at the limit that asks which device to sign out."""

from __future__ import annotations

import pytest

from example.people import PASSWORDS
from tests.browser.visitor import LAPTOP, PHONE, POINTER, TABLET

ADA = PASSWORDS["ada"]
TITLE = "Choose a device to sign out"
LAPTOP_NAME, TABLET_NAME = "Chrome on Windows", "Safari on iPad"
CONTINUE = "Sign out and continue"


class Household:
    """An account with two places for a laptop and a tablet. A phone has to choose."""

    def __init__(self, site, visitor, way=POINTER):
        self.laptop, self.tablet = visitor(site, LAPTOP), visitor(site, TABLET)
        self.phone = visitor(site, PHONE, way)
        self.laptop.sign_in("ada", ADA)
        self.tablet.sign_in("ada", ADA)
        self.phone.sign_in("ada", ADA, "/log/")
        assert self.phone.heading == TITLE

    @property
    def signed_in(self):
        """Return the names of the browsers that see themselves signed in."""
        names = []
        for name in ("laptop", "tablet", "phone"):
            browser = getattr(self, name)
            browser.open("/members/")
            if "You are signed in as ada." in browser.text:
                names.append(name)
        return names


@pytest.fixture
def household(serve, visitor):
    site = serve(SESSION_LIMIT=2, SESSION_LIMIT_AT_LIMIT="ask")
    return lambda way=POINTER: Household(site, visitor, way)


def test_picked_is_signed_out_and_the_sign_in_goes_on(household, way):
    home = household(way)
    home.phone.pick(TABLET_NAME)
    home.phone.press(CONTINUE)
    assert (home.phone.path, home.phone.heading) == ("/log/", "Ship’s log")
    home.tablet.reload()
    assert home.tablet.heading == "You're signed out here"
    assert "signed in on a phone" in home.tablet.text
    assert home.signed_in == ["laptop", "phone"]


def test_least_recent_is_picked_already(household):
    home = household()
    home.phone.press(CONTINUE)
    assert home.signed_in == ["tablet", "phone"]


def test_cancelled_ends_nothing(household, way):
    home = household(way)
    home.phone.press("Cancel")
    assert home.phone.heading == "Sign in"
    assert home.signed_in == ["laptop", "tablet"]


def test_all_others_can_be_signed_out(household):
    home = household()
    home.phone.press("Sign out all others")
    assert home.signed_in == ["phone"]


def test_nobody_until_something_is_chosen(household):
    phone = household().phone
    for address in ("/members/", "/log/", "/account/sessions/", "/admin/"):
        phone.open(address)
        assert "ada" not in phone.text
        assert "/account/sessions/choose/" not in phone.path
        assert phone.page.get_by_label("Password").is_visible()
    phone.open("/account/sessions/choose/")
    assert phone.heading == TITLE


def test_back_button_signs_out_nobody_else(household):
    home = household()
    home.phone.press(CONTINUE)
    home.phone.back()
    assert home.phone.heading != TITLE
    assert home.signed_in == ["tablet", "phone"]


def test_second_tab_finds_the_first_has_signed_in(household):
    home = household()
    first = home.phone.tab()
    home.phone.open("/account/sessions/choose/")
    home.phone.press(CONTINUE)
    home.phone.page = first
    home.phone.press(CONTINUE)
    assert home.signed_in == ["tablet", "phone"]


def test_goes_on_by_itself_where_a_place_became_free(household):
    home = household()
    home.laptop.press("Sign out")
    home.phone.reload()
    assert home.phone.path == "/log/"
    assert home.signed_in == ["tablet", "phone"]
