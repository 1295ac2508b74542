"""Test that django-allauth can ask for the password before other sessions are ended."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from django.utils import timezone

from session_limit import checks
from session_limit.contrib.allauth import AllauthRules
from session_limit.models import UserSession
from tests.libraries.with_allauth import (  # two of them are fixtures
    by_password,
    by_provider,
    github,  # noqa: F401
    served,  # noqa: F401
)
from tests.stories.people import JSON, PASSWORD, SIGNED_IN

Reason = UserSession.Reason

RULES = "session_limit.contrib.allauth.AllauthRules"


@pytest.fixture
def stale(laptop, phone, settings):
    """Sign Ada in with both browsers, an hour ago with the laptop."""
    settings.SESSION_LIMIT = 2
    settings.SESSION_LIMIT_RULES = RULES
    by_password(phone)
    by_password(laptop)
    rows = UserSession.objects.filter(pk=laptop.row.pk)
    rows.update(authenticated_at=timezone.now() - timedelta(hours=1))


def end(visitor):
    return f"/account/sessions/{visitor.row.pk}/end/"


@pytest.mark.usefixtures("stale")
def test_other_sessions_end_after_allauths_own_page(laptop, phone):
    address = end(phone)
    page = laptop.post(address, {"password": PASSWORD})
    (url,) = re.findall(
        r'href="(/accounts/reauthenticate/[^"]+)"', page.content.decode()
    )
    assert phone.state == SIGNED_IN
    answer = laptop.post(address, headers=JSON)
    assert answer.status_code == 403
    assert answer.json()["reauthentication_url"] == url

    assert laptop.get(url).status_code == 200
    response = laptop.post(url, {"password": "wrong"})
    assert response.status_code == 200
    response = laptop.post(url, {"password": PASSWORD})
    assert (response.status_code, response["Location"]) == (302, address)
    assert laptop.get(address).status_code == 200
    assert phone.state == SIGNED_IN
    assert laptop.post(address).status_code == 303
    assert phone.state == Reason.REVOKED
    assert laptop.state == SIGNED_IN


@pytest.mark.usefixtures("stale")
def test_allauths_page_is_asked_again_after_a_while(laptop, phone, settings):
    laptop.post("/accounts/reauthenticate/", {"password": PASSWORD})
    settings.SESSION_LIMIT_REAUTHENTICATION_AGE = 1e-6
    assert laptop.post(end(phone), headers=JSON).status_code == 403
    assert phone.state == SIGNED_IN


def test_nothing_is_asked_of_who_has_only_an_account_elsewhere(
    ada, laptop, phone, settings
):
    settings.SESSION_LIMIT = 2
    settings.SESSION_LIMIT_RULES = RULES
    ada.set_unusable_password()
    ada.save()
    by_provider(phone)
    by_provider(laptop)
    rows = UserSession.objects.filter(pk=laptop.row.pk)
    rows.update(authenticated_at=timezone.now() - timedelta(hours=1))
    assert laptop.post(end(phone)).status_code == 303
    assert phone.state == Reason.REVOKED


@pytest.mark.parametrize("key", ["hijack_history", "loginas_from_user"])
def test_an_administrator_is_never_fresh(ada, rf, settings, key):
    """
    An administrator is signed in as a user whom allauth would ask for nothing. Fails if
    the administrator may then end that user's sessions.
    """
    ada.set_unusable_password()
    ada.save()
    request = rf.get("/")
    request.session = {
        AUTHENTICATION_METHODS_SESSION_KEY: [{"reauthenticated": True, "at": 9e12}]
    }
    row = UserSession(user=ada, authenticated_at=timezone.now() - timedelta(hours=1))
    assert AllauthRules().is_fresh(ada, row, request)
    request.session[key] = ["1"]
    assert not AllauthRules().is_fresh(ada, row, request)
    row.authenticated_at = timezone.now()
    assert not AllauthRules().is_fresh(ada, row, request)


def test_a_project_is_told_of_allauths_rules(settings):
    (warning,) = checks.installation.check_reauthentication()
    assert warning.id == "session_limit.W403"
    settings.SESSION_LIMIT_RULES = RULES
    assert list(checks.installation.check_reauthentication()) == []
