"""Test a site that refuses sign-ins at the limit."""

from __future__ import annotations

from example.people import PASSWORDS
from tests.browser.visitor import LAPTOP, PHONE

ADA = PASSWORDS["ada"]


def test_denied_until_a_place_is_free(serve, visitor, way):
    site = serve(SESSION_LIMIT_AT_LIMIT="deny")
    laptop, phone = visitor(site, LAPTOP, way), visitor(site, PHONE, way)
    laptop.sign_in("ada", ADA)
    phone.sign_in("ada", ADA)
    assert phone.heading == "You're at your limit of devices"
    phone.open("/members/")
    assert phone.heading == "Sign in"
    laptop.press("Sign out")
    assert laptop.heading == "You are signed out"
    phone.sign_in("ada", ADA)
    assert "You are signed in as ada." in phone.text
