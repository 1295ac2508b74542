"""An open page asks for the status of its session."""

import pytest
from django.utils import timezone

from session_limit import registry
from session_limit.models import UserSession
from session_limit.testing import PHONE
from tests.stories.people import (
    JSON,
    SIGNED_IN,
    mark_as_installed_later,
    set_cookie,
    statements,
    writes,
)

STATUS = "/account/sessions/status/"
Reason = UserSession.Reason


@pytest.fixture(autouse=True)
def included(settings):
    settings.ROOT_URLCONF = "tests.asgi.urls"


def status(visitor, **kwargs):
    """
    Return the status. Asserts that the answer sets no cookie and may not be stored.
    """
    response = visitor.get(STATUS, **kwargs)
    assert response.status_code == 200
    assert set_cookie(response) is None
    assert "no-store" in response["Cache-Control"]
    assert "Cookie" in response.get("Vary", "")
    assert response.json()["version"] == 1
    return response.json()


def test_live(ada, laptop):
    laptop.sign_in()
    assert status(laptop) == {
        "version": 1,
        "code": "live",
        "session": str(laptop.row.pk),
    }


def test_nobody(laptop):
    assert status(laptop)["code"] == "nobody"
    laptop.write()
    assert status(laptop)["code"] == "nobody"


@pytest.mark.parametrize("cookie", ["x" * 32, "../../etc", "é", "a" * 10_000])
def test_a_forged_cookie_is_nobodys(laptop, cookie):
    laptop.cookie = cookie
    assert status(laptop) == {"version": 1, "code": "nobody"}


def test_displaced(ada, laptop, phone, settings):
    settings.SESSION_LIMIT_SECURE_ACCOUNT_URL = "/secure/"
    laptop.sign_in()
    phone.sign_in()
    for _ in range(3):
        page = {"Referer": "http://testserver/members/?day=1", **JSON}
        told = status(laptop, headers=page)
        assert (told["code"], told["reason"]) == ("session_ended", "displaced")
        assert told["heading"] == "You're signed out here"
        assert told["detail"].startswith("Your account was signed in on a phone.")
        assert told["device_class"] == "phone"
        assert told["ended_at"]
        url = "/login/?next=%2Fmembers%2F%3Fday%3D1"
        assert told["sign_in_url"] == url
        assert told["actions"] == [
            {"step": "use_here", "label": "Use here instead", "url": url},
            {
                "step": "secure_account",
                "label": "Not you? Secure your account",
                "url": "/secure/",
            },
        ]
    # A person who opens the page is still told why.
    assert laptop.state == "displaced"
    assert phone.state == SIGNED_IN


@pytest.mark.parametrize("reason", sorted({*Reason} - {Reason.DISPLACED}))
def test_every_reason(ada, laptop, reason):
    laptop.sign_in()
    registry.end_all(ada, reason)
    told = status(laptop)
    assert (told["code"], told["reason"]) == ("session_ended", reason)
    assert told["heading"]
    assert told["detail"]


def test_asking_is_no_activity(ada, laptop, time, settings):
    settings.SESSION_SAVE_EVERY_REQUEST = True
    laptop.sign_in()
    before = laptop.row.last_active_at
    time.advance(3600)
    with statements() as ran:
        status(laptop)
    assert writes(ran) == []
    assert laptop.row.last_active_at == before


def test_asking_keeps_nobody_from_being_idle(ada, laptop, time, settings):
    settings.SESSION_LIMIT_IDLE_TIMEOUT = 600
    laptop.sign_in()
    for _ in range(10):
        time.advance(59)
        assert status(laptop)["code"] == "live"
    time.advance(120)
    assert status(laptop)["reason"] == "idle"


def test_a_password_that_was_changed(ada, laptop, phone, settings):
    """
    No row has ended yet. The request for the status ends it, as any request would.
    """
    settings.SESSION_LIMIT = 2
    laptop.sign_in()
    phone.sign_in()
    phone.change_password("new")
    assert status(laptop)["reason"] == "password_changed"
    assert status(phone)["code"] == "live"


def test_one_from_before_installation_is_adopted(ada, laptop):
    laptop.sign_in()
    mark_as_installed_later(laptop)
    response = laptop.get(STATUS)
    assert response.json()["code"] == "live"
    assert laptop.get(STATUS).json() == response.json()
    assert UserSession.objects.live().count() == 1
    assert laptop.state == SIGNED_IN


def test_another_browser_learns_nothing(ada, bob, laptop, phone):
    laptop.sign_in("ada")
    phone.sign_in("bob")
    laptop.sign_out()
    assert status(phone)["code"] == "live"


def test_whatever_is_asked_for_it_is_json(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    for accept in ("text/html", "text/event-stream", "*/*", ""):
        told = status(laptop, headers={"Accept": accept})
        assert told["reason"] == "displaced"


def test_it_is_only_read(ada, laptop):
    laptop.sign_in()
    assert laptop.call("head", STATUS).status_code == 200
    assert laptop.post(STATUS).status_code == 405


def test_the_time_of_the_end_is_told(ada, laptop, phone):
    before = timezone.now()
    laptop.sign_in()
    phone.sign_in()
    told = status(laptop)["ended_at"]
    assert before.isoformat()[:19] <= told <= timezone.now().isoformat()


def test_where_signing_in_happens_by_itself(ada, remote):
    """A click on the page that says why lets this browser go on."""
    laptop, phone = remote("ada", "Firefox"), remote("ada", PHONE)
    laptop.open()
    phone.open()
    page = {"Referer": "http://testserver/members/"}
    for _ in range(3):
        response = laptop.get(STATUS, headers={**page, **JSON})
        assert response.status_code == 401
        assert set_cookie(response) is None
        told = response.json()
        assert (told["code"], told["reason"]) == ("session_ended", "displaced")
        url = "/account/sessions/ended/?next=%2Fmembers%2F"
        assert told["sign_in_url"] == url
        assert told["actions"][0] == {
            "step": "use_here",
            "label": "Use here instead",
            "url": url,
        }
    assert phone.state == SIGNED_IN
