"""
Test that the JSON API of plays does what docs/reference/openapi.yaml says.

Schemathesis generates requests from that page and sends them to a real server as the
owner of a play, as another user and without a session.
"""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from django.urls import resolve

from example.browser import Browser
from example.people import LAPTOP, PHONE, sign_in
from session_limit.urls import urlpatterns
from tests.browser.site import prepare, served
from tests.drivers import library

schemathesis = library("schemathesis")
import jsonschema_rs  # noqa: E402 comes with it
import requests  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
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
    response_headers_conformance,
    response_schema_conformance,
    allow_header_conformance,
]
EXAMPLES = settings(
    max_examples=40,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
ASK = {"SESSION_LIMIT_PLAYS": 1, "SESSION_LIMIT_PLAYS_AT_LIMIT": "ask"}
START, STOP_START = f"{BASE}/plays/", f"{BASE}/plays/stop/"
# The owner's session and play contain these texts, which no answer to others may show.
SECRET = "a secret film"
OWNERS_AGENT = f"{LAPTOP} OwnersOwn/1"


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    directory = tmp_path_factory.mktemp("openapi")
    prepare(template := directory / "template.sqlite3")
    return directory, template


@pytest.fixture
def serve(database):
    """Return a function that serves the site with the given settings."""
    return lambda **settings: served(*database, **settings)


def arrive(site, user, agent):
    browser = Browser(f"{site.url}/", agent)
    sign_in(browser, browser.open("/members/"), user)
    return browser


# --- Generated requests ---------------------------------------------------------------


@pytest.fixture(scope="module")
def site(database):
    with served(*database, **ASK) as site:
        yield site


@pytest.fixture(scope="module")
def people(site):
    """Return the cookies of a play's owner, of another user, and of no session."""
    # "nobody" has an invalid cookie rather than none, because a repeated example would
    # otherwise keep the cookie of the one before.
    cookies = {"nobody": {"sessionid": "nobodys"}}
    for name, user, agent in (
        ("owner", "theo", OWNERS_AGENT),
        ("other", "grace", PHONE),
    ):
        browser = arrive(site, user, agent)
        cookies[name] = {cookie.name: cookie.value for cookie in browser.cookies}
    return cookies


@pytest.fixture
def play(site, people):
    """Let the owner play something, and return the play's id."""
    site.sql("DELETE FROM session_limit_play")
    cookies = people["owner"]
    answer = requests.post(
        f"{site.url}{START}",
        json={"what": SECRET},
        cookies=cookies,
        headers={"X-CSRFToken": cookies["csrftoken"]},
        timeout=10,
    )
    return answer.json()["play"]


OWNERS = """
    SELECT p.id, p.what, p.started_at, p.ended_at, p.ended_reason
    FROM session_limit_play p JOIN auth_user u ON u.id = p.user_id
    WHERE u.username = 'theo' ORDER BY p.id
"""
SESSION = """
    SELECT s.id, s.key_digest FROM session_limit_usersession s
    JOIN auth_user u ON u.id = s.user_id
    WHERE u.username = 'theo' AND s.ended_at IS NULL
"""


@pytest.mark.parametrize("who", ["owner", "other", "nobody"])
@SCHEMA.parametrize()
@EXAMPLES
def test_every_answer_is_as_it_says(case, who, site, people, play):
    cookies = people[who]
    # Send each request with a valid CSRF token, so that it reaches the view.
    token = cookies.get("csrftoken", "c" * 32)
    before = site.sql(OWNERS)
    answer = case.call_and_validate(
        base_url=f"{site.url}{BASE}",
        checks=CHECKS,
        headers={"X-CSRFToken": token, "Accept": "application/json"},
        cookies={**cookies, "csrftoken": token},
    )
    if who != "owner":
        [(id, digest)] = site.sql(SESSION)
        said = answer.text + str(answer.headers)
        for secret in (play, SECRET, "OwnersOwn", id, str(digest), "theo"):
            assert secret not in said
        # The request has not changed the owner's plays either.
        assert site.sql(OWNERS) == before
    if who == "nobody":
        assert answer.status_code in {400, 401, 403, 404, 405}


def test_the_play_of_another(site, people):
    """Nobody but the owner can renew or stop the play."""
    theirs, others = arrive(site, "theo", PHONE), arrive(site, "grace", PHONE)
    site.sql("DELETE FROM session_limit_play")
    play = theirs.send(START, {"key": "press 1"}).json["play"]
    assert others.send(f"{START}{play}/renew/", {}).status == 404
    assert others.send(f"{START}{play}/stop/", {}).status == 200
    assert others.send(STOP_START, {"key": "press 1"}).status == 200
    assert theirs.send(f"{START}{play}/renew/", {}).status == 200


# --- Every documented status ----------------------------------------------------------


class Client:
    """A signed-in browser that checks each answer against the schema."""

    def __init__(self, site, user, agent):
        self.site, self.browser = site, arrive(site, user, agent)
        self.seen = set()

    def ask(self, path, id=None, *, method="POST", token=None, **data):
        cookies = {cookie.name: cookie.value for cookie in self.browser.cookies}
        operation = SCHEMA[path]["POST"]
        parameters = {"id": id} if "{id}" in path else {}
        case = operation.Case(method=method, path_parameters=parameters)
        answer = requests.request(
            method,
            f"{self.site.url}{BASE}{path.format(**parameters)}",
            json=data,
            cookies=cookies,
            headers={
                "X-CSRFToken": token or cookies["csrftoken"],
                "Accept": "application/json",
            },
            timeout=10,
        )
        case.validate_response(answer, checks=CHECKS)
        self.seen.add((path, answer.status_code))
        code = answer.json()["code"] if "json" in answer.headers["Content-Type"] else ""
        return answer, (answer.status_code, code)


RENEW, STOP = "/plays/{id}/renew/", "/plays/{id}/stop/"


def test_every_status_is_there_and_as_it_says(serve):
    one_by_one = {**ASK, "SESSION_LIMIT_PLAY_COOLDOWN": 60}
    with serve(**one_by_one) as site:
        laptop, phone = Client(site, "theo", LAPTOP), Client(site, "theo", PHONE)
        answer, found = laptop.ask("/plays/", key="press 1", what="film")
        play = answer.json()["play"]
        assert found == (200, "playing")
        assert laptop.ask(RENEW, play)[1] == (200, "playing")
        answer, found = phone.ask("/plays/", key="press 1")
        assert found == (409, "play_limit")
        [rival] = answer.json()["rivals"]
        assert phone.ask("/plays/", swap=rival["swap"])[1] == (200, "playing")
        assert laptop.ask(RENEW, play)[1] == (410, "play_ended")
        assert laptop.ask("/plays/", key="press 1")[1] == (410, "play_ended")
        answer, _ = laptop.ask("/plays/", key="press 2")
        [rival] = answer.json()["rivals"]
        answer, found = laptop.ask("/plays/", key="press 2", swap=rival["swap"])
        assert found == (429, "cooling_down")
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert laptop.ask(STOP, play)[1] == (200, "stopped")
        assert phone.ask("/plays/stop/", key="press 1")[1] == (200, "stopped")
        assert laptop.ask(RENEW, str(uuid4()))[1] == (404, "not_found")
        for path in (RENEW, STOP):
            assert laptop.ask(path, "none")[1] == (404, "")
        for path in ("/plays/", "/plays/stop/"):
            assert laptop.ask(path, key="k" * 65)[1] == (400, "bad_request")
        for path in SCHEMA.raw_schema["paths"]:
            assert laptop.ask(path, play, method="PUT")[1] == (405, "")
            assert laptop.ask(path, play, token="x" * 32)[1] == (403, "")
        site.sql(
            "UPDATE session_limit_usersession "
            "SET ended_at = created_at, ended_reason = 'displaced'"
        )
        for path in SCHEMA.raw_schema["paths"]:
            assert laptop.ask(path, play)[1] == (401, "session_ended")
    seen = laptop.seen | phone.seen
    said = {
        (path, int(status))
        for path, operations in SCHEMA.raw_schema["paths"].items()
        for status in operations["post"]["responses"]
    }
    # No request can provoke these here: a database that gives up, a request that Django
    # cannot read, and a project without plays (see tests/stories/test_plays.py).
    rare = {(path, 503) for path in SCHEMA.raw_schema["paths"]}
    rare |= {(RENEW, 400), (STOP, 400), ("/plays/", 404), ("/plays/stop/", 404)}
    assert said - seen == rare


# --- The page itself ------------------------------------------------------------------


def test_it_is_of_the_addresses_there_are():
    id = "01a214cc-e6db-7cf8-8909-934240cb8f6e"
    paths = (f"{BASE}{path}".format(id=id) for path in SCHEMA.raw_schema["paths"])
    found = {
        str(resolve(path).route).removeprefix("account/sessions/") for path in paths
    }
    there = {str(each.pattern) for each in urlpatterns}
    assert found == {route for route in there if route.startswith("plays/")}


def test_it_is_openapi_and_its_examples_are_what_it_says():
    SCHEMA.validate()
    whole = SCHEMA.raw_schema
    found = list(_examples(whole))
    assert len(found) > 15
    for schema, example in found:
        # Add the components, because a schema refers to them.
        validator = jsonschema_rs.Draft202012Validator(
            {**schema, "components": whole["components"]}, validate_formats=True
        )
        validator.validate(example)


def _examples(node):
    """Yield each schema in ``node`` that has examples, with each of its examples."""
    if isinstance(node, list):
        for each in node:
            yield from _examples(each)
    if isinstance(node, dict):
        for example in node.get("examples", {}).values() if "schema" in node else ():
            yield node["schema"], example["value"]
        if "schema" in node and "example" in node:
            yield node["schema"], node["example"]
        for each in node.values():
            yield from _examples(each)
