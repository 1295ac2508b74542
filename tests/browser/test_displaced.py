"""Test what a displaced browser shows, on a site with one session per account."""

from __future__ import annotations

from example.people import PASSWORDS
from tests.browser.visitor import LAPTOP, PHONE

ADA, GRACE = PASSWORDS["ada"], PASSWORDS["grace"]


def test_displaced_is_told_and_can_take_over(serve, visitor, way):
    site = serve()
    laptop, phone = visitor(site, LAPTOP, way), visitor(site, PHONE, way)
    laptop.sign_in("ada", ADA, "/log/")
    assert (laptop.path, laptop.heading) == ("/log/", "Ship’s log")
    phone.sign_in("ada", ADA)
    assert "You are signed in as ada." in phone.text

    laptop.reload()
    assert (laptop.path, laptop.heading) == ("/log/", "You're signed out here")
    assert "Your account was signed in on a phone." in laptop.text
    laptop.press("Use here instead")
    laptop.fill("User name", "ada")
    laptop.fill("Password", ADA)
    laptop.press("Sign in")
    assert (laptop.path, laptop.heading) == ("/log/", "Ship’s log")

    phone.reload()
    assert (phone.path, phone.heading) == ("/members/", "You're signed out here")
    assert "Your account was signed in on a computer." in phone.text
    phone.press("Tidewater")
    assert phone.path == "/"


def test_others_are_left_alone(serve, visitor):
    site = serve()
    ada, grace, phone = (visitor(site, kind) for kind in (LAPTOP, LAPTOP, PHONE))
    grace.sign_in("grace", GRACE)
    ada.sign_in("ada", ADA)
    phone.sign_in("ada", ADA)
    grace.reload()
    assert "You are signed in as grace." in grace.text


def test_taking_over_in_one_tab_is_enough_for_all(serve, visitor):
    site = serve()
    laptop, phone = visitor(site, LAPTOP), visitor(site, PHONE)
    laptop.sign_in("ada", ADA)
    first = laptop.tab()
    laptop.open("/log/")
    phone.sign_in("ada", ADA)
    laptop.reload()
    assert laptop.heading == "You're signed out here"
    laptop.press("Use here instead")
    laptop.fill("User name", "ada")
    laptop.fill("Password", ADA)
    laptop.press("Sign in")
    assert laptop.path == "/log/"
    laptop.page = first
    laptop.reload()
    assert "You are signed in as ada." in laptop.text


def test_password_change_ends_the_other(serve, visitor, way):
    site = serve(SESSION_LIMIT=3)
    laptop, phone = visitor(site, LAPTOP, way), visitor(site, PHONE, way)
    laptop.sign_in("ada", ADA)
    phone.sign_in("ada", ADA)
    laptop.press("Password")
    laptop.fill("Old password:", ADA)
    laptop.fill("New password:", "spring-and-neap")
    laptop.fill("New password confirmation:", "spring-and-neap")
    laptop.press("Change password")
    assert "Your password is changed." in laptop.text
    phone.reload()
    assert phone.heading == "You're signed out here"
    assert "password was changed" in phone.text
    laptop.reload()
    assert "You are signed in as ada." in laptop.text
