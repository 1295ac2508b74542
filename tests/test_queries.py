"""``verify()`` checks a session that code has loaded without the middleware."""

from __future__ import annotations

from importlib import import_module

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils.functional import LazyObject

from session_limit import registry
from session_limit.models import UserSession
from session_limit.testing import Browser, clock
from tests import stores

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.interleavings.urls"),
]
PASSWORD = "pw"


@pytest.fixture
def ada():
    return get_user_model().objects.create_user(username="ada", password=PASSWORD)


@pytest.fixture
def browser(ada):
    return signed_in(ada)


def signed_in(user):
    browser = Browser()
    credentials = {"username": user.get_username(), "password": PASSWORD}
    assert browser.post("/login/", credentials).status_code == 302
    return browser


def load(browser):
    """Return the session of ``browser`` as a management command would load it."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    return store(browser.cookies[settings.SESSION_COOKIE_NAME].value)


@pytest.fixture(params=[registry.verify, async_to_sync(registry.averify)])
def verify(request):
    return request.param


def test_a_live_session_is_its_row(ada, browser, verify):
    (row,) = UserSession.objects.live()
    assert verify(load(browser)) == row
    assert row.user_id == ada.pk


def test_wrapped_as_channels_hands_it_out(browser, verify):
    class Lazy(LazyObject):
        def _setup(self):
            self._wrapped = load(browser)

    assert verify(Lazy()) is not None


def test_an_anonymous_one_is_nobodys(verify):
    browser = Browser()
    browser.get("/put/?item=tea")
    assert verify(load(browser)) is None
    assert verify(stores.engine()()) is None
    assert verify(stores.engine()("0" * 32)) is None


def test_one_that_a_sign_in_displaced_is_nobodys_even_if_it_is_stored_again(
    ada, browser, verify
):
    session = load(browser)
    session.keys()  # loads it
    key, data = session.session_key, stores.read(session.session_key)
    winner = signed_in(ada)
    assert verify(session) is None
    assert verify(stores.engine()(stores.write(key, data))) is None
    assert verify(load(winner)) is not None


def test_one_whose_time_is_up_is_nobodys(ada, settings, verify):
    settings.SESSION_LIMIT_IDLE_TIMEOUT = 600
    browser = signed_in(ada)
    session = load(browser)
    session.keys()  # loads it
    with clock() as time:
        time.advance(3600)
        assert verify(session) is None


def test_a_password_changed_elsewhere_is_nobodys(ada, browser, verify):
    session = load(browser)
    ada.set_password("another")
    ada.save()
    assert verify(session) is None


def test_a_disabled_account_is_nobodys(ada, browser, verify):
    session = load(browser)
    get_user_model().objects.filter(pk=ada.pk).update(is_active=False)
    assert verify(session) is None


@pytest.mark.parametrize("id", ["", "x", None, 1, [], "f" * 32])
def test_a_forged_id_is_nobodys(browser, verify, id):
    session = load(browser)
    session["_session_limit_id"] = id
    assert verify(session) is None


def test_somebody_elses_id_is_nobodys(browser, verify):
    bob = get_user_model().objects.create_user(username="bob", password=PASSWORD)
    session = load(browser)
    session["_session_limit_id"] = load(signed_in(bob))["_session_limit_id"]
    assert verify(session) is None


def test_what_it_costs(browser, django_assert_num_queries):
    """It reads the row and the user. The session has been read already."""
    session = load(browser)
    session.keys()  # loads it
    with django_assert_num_queries(2):
        assert registry.verify(session) is not None
