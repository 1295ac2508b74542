"""
Test django-axes, which counts failed sign-ins and locks accounts.

A sign-in that is refused at the limit had the right password, so it is no failure.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from axes.models import AccessAttempt, AccessLog
from axes.signals import handle_user_logged_in
from django.contrib.auth.signals import user_logged_in
from django.utils import timezone

from session_limit.models import UserSession
from tests.libraries import integrations
from tests.libraries.cells import Cells, assert_nobody, choose
from tests.stories.people import PASSWORD, SIGNED_IN

FAILURE_LIMIT = 3


class TestMatrix(Cells):
    @pytest.fixture(
        params=[
            integrations.DjangoLoginView,
            integrations.DjangoAdmin,
            integrations.AllauthPassword,
            integrations.RestFramework,
        ]
    )
    def integration(self, request):
        return request.param()


@pytest.fixture
def rival(ada, laptop):
    laptop.sign_in()
    AccessLog.objects.all().delete()
    return laptop


def failures():
    return sum(AccessAttempt.objects.values_list("failures_since_start", flat=True))


@pytest.fixture(params=["axes first", "axes last"])
def order(request, monkeypatch):
    """
    Let the receiver of axes run before the package's, or after it.

    It runs before if the admin, which imports it, is above session_limit in
    ``INSTALLED_APPS``. Else the order of the two apps decides.
    """
    receivers = [*user_logged_in.receivers]
    monkeypatch.setattr(user_logged_in, "receivers", receivers)
    if request.param == "axes last":
        user_logged_in.disconnect(handle_user_logged_in)
        user_logged_in.connect(handle_user_logged_in)
    return request.param


def test_a_refusal_is_no_failure(rival, phone, deny, order):
    phone.sign_in(password="wrong")
    for _ in range(FAILURE_LIMIT + 1):
        response = phone.sign_in()
        assert response.status_code == 403
        assert b"already, which is as many as it may." in response.content
    # axes takes the right password for a success, if its receiver runs first.
    refusals = FAILURE_LIMIT + 1 if order == "axes first" else 0
    assert failures() == (0 if refusals else 1)
    assert AccessLog.objects.count() == refusals

    rival.sign_out()
    assert phone.sign_in().status_code == 302
    assert phone.state == SIGNED_IN
    assert failures() == 0
    assert AccessLog.objects.count() == refusals + 1


def test_ending_other_sessions_is_locked_by_wrong_passwords(rival, phone, settings):
    """
    Wrong passwords on the page that ends sessions lock the account.

    Otherwise somebody with a stolen cookie could use that page to guess passwords.
    """
    settings.SESSION_LIMIT = 2
    phone.sign_in()
    rows = UserSession.objects.filter(pk=phone.row.pk)
    rows.update(authenticated_at=timezone.now() - timedelta(hours=1))
    address = f"/account/sessions/{rival.row.pk}/end/"
    for _ in range(FAILURE_LIMIT):
        phone.post(address, {"password": "wrong"})
    assert failures() == FAILURE_LIMIT
    assert phone.post(address, {"password": PASSWORD}).status_code == 429
    assert rival.state == phone.state == SIGNED_IN


def test_a_choice_is_a_success(rival, phone, order, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    phone.sign_in(password="wrong")
    response = phone.sign_in()
    choose(phone, response, rival.row.pk)
    assert phone.state == SIGNED_IN
    assert failures() == 0
    assert AccessLog.objects.count() == (2 if order == "axes first" else 1)


def test_who_is_locked_out_is_not_told_of_the_limit(rival, phone, deny):
    for _ in range(FAILURE_LIMIT):
        response = phone.sign_in(password="wrong")
    assert response.status_code == 429
    # The password is right, but the lock came before it.
    response = phone.sign_in(password=PASSWORD)
    assert response.status_code == 429
    assert b"as many as it may" not in response.content
    assert_nobody(phone)
    assert rival.state == SIGNED_IN
