"""
What the page on JSON says of plays is so, whoever asks and with whatever: schemathesis
asks a real server by docs/reference/openapi.yaml.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from django.urls import resolve

from example.browser import Browser
from example.people import LAPTOP, PHONE, sign_in
from tests.browser.site import prepare, served

schemathesis = pytest.importorskip("schemathesis")
from hypothesis import HealthCheck, settings  # noqa: E402 comes with it
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

pytestmark = pytest.mark.services("servers")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "openapi.yaml"
BASE = "/account/sessions"
SCHEMA = schemathesis.openapi.from_path(PAGE)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = settings(
    max_examples=40,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    directory = tmp_path_factory.mktemp("openapi")
    prepare(template := directory / "template.sqlite3")
    ask = {"SESSION_LIMIT_PLAYS": 1, "SESSION_LIMIT_PLAYS_AT_LIMIT": "ask"}
    with served(directory, template, **ask) as site:
        yield site


@pytest.fixture(scope="module")
def people(site):
    """Return the cookies of the owner of a play, of another user, and of nobody."""
    # Never without one: an example that is asked again goes with what it had before.
    cookies = {"nobody": {"sessionid": "nobodys"}}
    for name, user, agent in (("owner", "theo", LAPTOP), ("other", "grace", PHONE)):
        browser = Browser(f"{site.url}/", agent)
        sign_in(browser, browser.open("/members/"), user)
        cookies[name] = {cookie.name: cookie.value for cookie in browser.cookies}
        if name == "owner":
            answer = browser.send(f"{BASE}/plays/", {"what": "a secret film"})
            cookies["play"] = answer.json["play"]
    return cookies


@pytest.mark.parametrize("who", ["owner", "other", "nobody"])
@SCHEMA.parametrize()
@EXAMPLES
def test_every_answer_is_as_it_says(case, who, site, people):
    cookies = people[who]
    # Whoever asks has a token of this site's: what is behind it is to be seen.
    token = cookies.get("csrftoken", "c" * 32)
    answer = case.call_and_validate(
        base_url=f"{site.url}{BASE}",
        checks=CHECKS,
        headers={"X-CSRFToken": token, "Accept": "application/json"},
        cookies={**cookies, "csrftoken": token},
    )
    if who != "owner":
        # Nothing of what the owner has is in any answer to others.
        assert people["play"] not in answer.text
        assert "secret" not in answer.text
    if who == "nobody":
        assert answer.status_code in {400, 401, 403, 404, 405}


def test_the_play_of_another(site, people):
    """It is not there to them, and goes on."""
    theirs = Browser(f"{site.url}/", PHONE)
    sign_in(theirs, theirs.open("/members/"), "theo")
    # A place of its own: the owner's device may have stopped by now.
    site.sql("DELETE FROM session_limit_play")
    play = theirs.send(f"{BASE}/plays/", {}).json["play"]
    others = Browser(f"{site.url}/", PHONE)
    sign_in(others, others.open("/members/"), "grace")
    assert others.send(f"{BASE}/plays/{play}/renew/", {}).status == 404
    assert others.send(f"{BASE}/plays/{play}/stop/", {}).status == 200
    assert theirs.send(f"{BASE}/plays/{play}/renew/", {}).status == 200


def test_it_is_of_the_addresses_there_are():
    id = "01a214cc-e6db-7cf8-8909-934240cb8f6e"
    paths = (f"{BASE}{path}".format(id=id) for path in SCHEMA.raw_schema["paths"])
    names = {resolve(path).view_name for path in paths}
    assert names == {f"session_limit:{n}" for n in ("plays", "renew_play", "stop_play")}
