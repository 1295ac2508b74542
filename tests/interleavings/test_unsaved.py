"""
Requests that have recorded a key or changed a password, but not stored their session.

Another sign-in must not end such a session, however short the touch interval is and
however far apart the clocks of two servers are.
"""

from __future__ import annotations

import pytest

from session_limit.models import STORED_WITHIN
from session_limit.testing import clock
from tests import stores
from tests.interleavings.browsers import is_in
from tests.interleavings.gates import CREATE, SAVE, aside
from tests.interleavings.test_rotation import RECORD
from tests.stories.people import long_recorded

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.interleavings.urls"),
    stores.KEPT,
]


@pytest.fixture(params=["deny", "ask"], autouse=True)
def at_limit(request, settings):
    settings.SESSION_LIMIT_AT_LIMIT = request.param
    settings.SESSION_LIMIT_TOUCH_INTERVAL = 0.1
    return request.param


@pytest.fixture(params=[-3600, -65, 0, 65, 3600], ids=lambda ahead: f"{ahead}s")
def other_server(request):
    """Return a function that signs in on a server with another clock."""

    def sign_in(tab, user, password="pw"):
        with clock() as now:
            now.advance(request.param)
            return tab.sign_in(user, password)

    return sign_in


REFUSED = {403, 409}


def test_a_sign_in_that_is_not_stored_yet(ada, browser, other_server):
    laptop, phone = browser(), browser()
    with aside(lambda: laptop.sign_in(ada), before=SAVE) as signing_in:
        assert other_server(phone, ada).status_code in REFUSED
        assert signing_in.result().status_code in {200, 302}
    assert is_in(laptop, ada)


def test_a_rotation_that_is_not_stored_yet(ada, browser, other_server):
    laptop, phone = browser(), browser()
    laptop.sign_in(ada)
    long_recorded()

    def change():
        return laptop.change_password()

    with aside(change, before=CREATE) as changing:
        assert other_server(phone, ada, "new").status_code in REFUSED
        assert changing.result().status_code in {200, 302}
    assert is_in(laptop, ada)


@pytest.mark.parametrize("ahead", [-65, 0, 65])
def test_a_password_that_is_stored_before_its_session(ada, browser, ahead):
    """
    An application's clock dates the password change, and clocks may be a minute apart.
    """
    laptop, phone = browser(), browser()
    laptop.sign_in(ada)

    def change():
        return laptop.change_password()

    with aside(change, before=RECORD) as changing:
        with clock() as now:
            now.advance(ahead)
            assert phone.sign_in(ada, "new").status_code in REFUSED
        assert changing.result().status_code in {200, 302}
    assert is_in(laptop, ada)


def test_how_long_is_long_enough():
    """
    A view under ``ATOMIC_REQUESTS`` may take a minute, and clocks may differ by one.
    """
    assert STORED_WITHIN.total_seconds() >= 120
