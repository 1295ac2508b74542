"""Pages that ask for news keep no session alive. What a person does keeps it alive."""

from __future__ import annotations

import pytest

from session_limit.models import UserSession
from session_limit.rules import Rules
from session_limit.testing import clock
from tests.stories.people import JSON, SIGNED_IN, statements, writes

Reason = UserSession.Reason

MINUTE = 60
IDLE = 15 * MINUTE

SCRIPT = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
XHR = {"X-Requested-With": "XMLHttpRequest"}
HTMX = {"Accept": "*/*", "HX-Request": "true"}

POLLS = {
    "fetch": {"Accept": "*/*", **SCRIPT},
    "fetch of JSON": {**JSON, **SCRIPT},
    "jQuery": {**JSON, **XHR},
    "htmx": {**HTMX, **SCRIPT},
    "htmx over HTTP": HTMX,
    "Turbo Frame": {"Turbo-Frame": "news", **SCRIPT},
    "Unpoly": {"Accept": "*/*", "X-Up-Target": "#news", **SCRIPT},
    "EventSource": {"Accept": "text/event-stream", **SCRIPT},
    "prerender": {"Sec-Fetch-Mode": "navigate", "Sec-Purpose": "prefetch;prerender"},
}
VISITS = {
    "navigation": {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    "Turbo": SCRIPT,
    "htmx boost": {**HTMX, "HX-Boosted": "true", **SCRIPT},
    "service worker": {"Accept": "text/html", "Sec-Fetch-Mode": "same-origin"},
    "app": JSON,
    "curl": {"Accept": "*/*"},
    "image": {"Accept": "image/png", "Sec-Fetch-Dest": "image"},
}


class ByHeader(Rules):
    def is_activity(self, request):
        return "X-Timer" not in request.headers


@pytest.fixture
def time():
    with clock() as time:
        yield time


@pytest.fixture(autouse=True)
def idle_timeout(settings):
    settings.SESSION_LIMIT_IDLE_TIMEOUT = IDLE


def repeat(visitor, time, headers, *, path=None, minutes=IDLE // MINUTE):
    for _ in range(minutes):
        time.advance(MINUTE)
        visitor.get(path or visitor.path("members"), headers=headers)


@pytest.mark.parametrize("headers", POLLS.values(), ids=POLLS)
def test_a_page_that_only_polls_becomes_idle(ada, laptop, time, headers):
    laptop.sign_in()
    with statements() as ran:
        repeat(laptop, time, headers)
    assert writes(ran) == []
    time.advance(MINUTE)
    assert laptop.state == Reason.IDLE


@pytest.mark.parametrize("headers", VISITS.values(), ids=VISITS)
def test_what_a_person_or_an_app_asks_for_is_activity(ada, laptop, time, headers):
    laptop.sign_in()
    repeat(laptop, time, headers, minutes=2 * IDLE // MINUTE)
    assert laptop.state == SIGNED_IN


def test_a_form_that_a_script_sends_is_activity(ada, laptop, time):
    laptop.sign_in()
    for _ in range(3):
        time.advance(IDLE - 1)
        laptop.post("/cart/", {"cart": "tea"}, headers={**JSON, **SCRIPT})
    assert laptop.state == SIGNED_IN


def test_a_poll_that_writes_to_the_session_is_no_activity(ada, laptop, time):
    laptop.sign_in()
    repeat(laptop, time, {**JSON, **SCRIPT}, path=laptop.path("write"))
    time.advance(MINUTE)
    assert laptop.state == Reason.IDLE


def test_a_poll_records_a_shorter_expiry(ada, laptop, time):
    laptop.sign_in()
    active_at = laptop.row.last_active_at
    path = f"{laptop.path('expire')}?seconds={5 * MINUTE}"
    laptop.get(path, headers={**JSON, **SCRIPT})
    row = laptop.row
    assert row.expires_reason == Reason.EXPIRED
    assert row.last_active_at == active_at


def test_a_visit_after_polls_is_activity(ada, laptop, time):
    laptop.sign_in()
    for _ in range(3):
        repeat(laptop, time, POLLS["fetch"], minutes=10)
        laptop.open(**VISITS["navigation"])
    assert laptop.state == SIGNED_IN


def test_the_rules_of_a_project_decide(ada, laptop, time, settings):
    settings.SESSION_LIMIT_RULES = f"{__name__}.ByHeader"
    laptop.sign_in()
    repeat(laptop, time, POLLS["fetch"], minutes=2 * IDLE // MINUTE)
    assert laptop.state == SIGNED_IN
    repeat(laptop, time, {"X-Timer": "1"})
    time.advance(MINUTE)
    assert laptop.state == Reason.IDLE


def test_without_an_idle_timeout_every_request_is_recorded(ada, laptop, time, settings):
    settings.SESSION_LIMIT_IDLE_TIMEOUT = None
    laptop.sign_in()
    before = laptop.row.last_active_at
    repeat(laptop, time, POLLS["fetch"], minutes=2)
    assert laptop.row.last_active_at > before
