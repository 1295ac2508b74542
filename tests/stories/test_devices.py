"""``PerDeviceClass`` allows one phone and one computer."""

from __future__ import annotations

import pytest
from django.db import connections
from django.test import override_settings

from session_limit.client import Device, DeviceClass
from session_limit.models import UserSession
from session_limit.testing import PHONE
from tests.stories.people import SIGNED_IN, live


@pytest.fixture(autouse=True)
def rules(settings):
    settings.SESSION_LIMIT_RULES = "session_limit.rules.PerDeviceClass"


def test_a_phone_a_tablet_and_a_computer(ada, laptop, phone, tablet):
    devices = [laptop, phone, tablet]
    for device in devices:
        device.sign_in()
    assert [device.state for device in devices] == [SIGNED_IN] * 3
    names = ["Firefox on Windows", "Chrome on Android", "Safari on iPad"]
    assert [row.device for row in live(ada)] == names


def test_a_second_phone_displaces_the_phone_alone(ada, browser, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    other_phone = browser(PHONE)
    other_phone.sign_in()
    assert [laptop.state, phone.state, other_phone.state] == [
        SIGNED_IN,
        "displaced",
        SIGNED_IN,
    ]


def test_a_second_phone_is_denied_and_a_computer_is_not(
    ada, browser, laptop, phone, settings
):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    phone.sign_in()
    assert browser(PHONE).sign_in().status_code == 403
    assert laptop.sign_in().status_code == 302


in_transaction = []


def name_device(request):
    aliases = {alias.alias for alias in connections.all() if alias.in_atomic_block}
    in_transaction.append(aliases)
    return Device("Shop app", DeviceClass.PHONE)


@override_settings(SESSION_LIMIT_DEVICE=f"{__name__}.name_device")
def test_a_device_is_named_before_anything_is_locked(ada, laptop):
    in_transaction.clear()
    laptop.sign_in()
    assert in_transaction == [set(), set()]  # for the rules, and for the row
    assert UserSession.objects.get().device == "Shop app"
