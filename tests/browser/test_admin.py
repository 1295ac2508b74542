"""Test how an administrator finds and ends the sessions of an account."""

from __future__ import annotations

import re

from example.demo import ADMINISTRATOR, KEY
from example.people import PASSWORDS
from tests.browser.scenes import Stage
from tests.browser.visitor import LAPTOP, PHONE

ADA = PASSWORDS["ada"]
SESSIONS = "/admin/session_limit/usersession/"


def administrator(site, visitor, address, way):
    office = visitor(site, LAPTOP, way)
    office.open(address)
    office.fill("Username:", ADMINISTRATOR)
    office.fill("Password:", KEY)
    office.press("Log in")
    return office


def test_administrator_ends_a_session(serve, visitor, way):
    site = serve()
    phone = visitor(site, PHONE)
    phone.sign_in("ada", ADA)
    office = administrator(site, visitor, f"{SESSIONS}?q=ada&state=live", way)
    assert "1 session" in office.page.locator(".paginator").inner_text()
    office.tick(office.page.locator("#result_list [name=_selected_action]"))
    office.select(office.page.locator("[name=action]"), "End selected sessions")
    office.press(re.compile("^(Go|Run)$"))
    office.press("End 1 session")
    phone.reload()
    assert phone.heading == "You're signed out here"
    assert "An administrator ended this session." in phone.text


def test_user_page_shows_sessions_and_the_limit(serve, visitor):
    site = serve(SESSION_LIMIT=2)
    laptop, phone = visitor(site, LAPTOP), visitor(site, PHONE)
    laptop.sign_in("ada", ADA)
    phone.sign_in("ada", ADA)
    office = administrator(site, visitor, "/admin/auth/user/?q=ada", "pointer")
    office.press("ada")
    assert "Chrome on Android" in office.page.locator("#content").inner_text()
    office.fill("Limit:", "1")
    office.press("Save")
    laptop.reload()
    assert laptop.heading == "You're signed out here"
    assert "Your account can now be used on 1 device" in laptop.text
    phone.reload()
    assert "You are signed in as ada." in phone.text


def test_timeline(serve, visitor, way):
    site = serve(SESSION_LIMIT=None)
    visitor(site, PHONE).sign_in("ada", ADA)
    Stage(None, site, None).add_past()
    office = administrator(site, visitor, "/admin/auth/user/?q=ada", way)
    office.press("ada")
    office.press("Timeline")
    drawing = office.page.get_by_role("img", name="Timeline: ada")
    assert drawing.locator("line.session-limit-displaced").count() == 7
    names = office.page.locator(".session-limit-names")
    assert names.locator("li").count() == 9
    # The label of each session is directly above its bar.
    for name, bar in zip(
        names.locator("span").all(),
        drawing.locator(".session-limit-bar").all(),
        strict=True,
    ):
        above, below = name.bounding_box(), bar.bounding_box()
        assert 0 <= below["y"] - (above["y"] + above["height"]) < 6
    office.press("Last 24 hours")
    assert names.locator("li").count() == 4
    office.press("Firefox on Android", within=".session-limit-names")
    assert "Firefox on Android" in office.page.locator("#content").inner_text()
