"""Test how an administrator finds and ends a session in django-unfold's pages."""

from __future__ import annotations

import re

import pytest
from django.utils.timezone import localtime

from session_limit import registry
from session_limit.models import UserSession
from tests.stories.people import SIGNED_IN, make_user

Reason = UserSession.Reason

# unfold itself causes this warning under Django 6.1.
pytestmark = pytest.mark.filterwarnings("ignore:Overriding get_action_choices")

SESSIONS = "/admin/session_limit/usersession/"


@pytest.fixture
def hers(ada, phone):
    """Return the browser in which Ada is signed in."""
    phone.sign_in()
    return phone


@pytest.fixture
def admins(hers, laptop):
    """Return the browser in which the administrator is signed in."""
    make_user("grace", is_superuser=True, is_staff=True)
    laptop.sign_in("grace", path="/admin/login/")
    return laptop


def opened(admins, path):
    """Return the page's HTML, after checking that it is one of unfold's."""
    page = admins.get(path)
    assert page.status_code == 200
    assert "unfold/" in page.content.decode()
    return page.content.decode()


def test_the_list(ada, hers, admins):
    page = opened(admins, SESSIONS)
    assert "Chrome on Android" in page
    assert "End selected" in page


@pytest.mark.parametrize("query", ["q=ada", "state=live", "device_class=phone"])
def test_the_list_is_searched_and_filtered(ada, hers, admins, query):
    page = opened(admins, f"{SESSIONS}?{query}")
    assert "Chrome on Android" in page


def test_a_session(hers, admins):
    page = opened(admins, f"{SESSIONS}{hers.row.pk}/change/")
    assert "Chrome on Android" in page
    assert "End this session" in page
    assert hers.row.session_key not in page


def test_ending_one_is_confirmed(hers, admins):
    selected = {"action": "end_sessions", "_selected_action": [str(hers.row.pk)]}
    page = admins.post(SESSIONS, selected)
    assert page.status_code == 200
    page = page.content.decode()
    assert "unfold/" in page
    assert hers.state == SIGNED_IN

    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    response = admins.post(SESSIONS, dict(hidden))
    assert response.status_code == 302
    assert hers.state == Reason.REVOKED
    assert "1 session was ended." in opened(admins, SESSIONS)


def test_the_page_of_a_user(ada, hers, admins):
    page = opened(admins, f"/admin/auth/user/{ada.pk}/change/")
    assert "Chrome on Android" in page


def test_an_accounts_timeline(ada, hers, admins):
    link = f"{SESSIONS}account/{ada.pk}/"
    assert link in opened(admins, f"{SESSIONS}{hers.row.pk}/change/")
    page = opened(admins, link)
    assert "Chrome on Android" in page
    assert "session-limit-chart" in page


def test_an_accounts_own_limit_is_set_there(ada, hers, admins):
    path = f"/admin/auth/user/{ada.pk}/change/"
    page = opened(admins, path)
    assert 'name="accountlimit-0-limit"' in page
    joined = localtime(ada.date_joined)
    response = admins.post(
        path,
        {
            "username": "ada",
            "is_active": "on",
            "date_joined_0": joined.date(),
            "date_joined_1": joined.time(),
            **dict(re.findall(r'name="(\w+-[A-Z]+_FORMS)" value="(\d+)"', page)),
            "accountlimit-0-user": ada.pk,
            "accountlimit-0-limit": 7,
        },
    )
    assert response.status_code == 302
    assert registry.limit_of(ada) == 7
