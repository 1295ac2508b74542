"""A sign-in that is rolled back after its admission leaves no trace."""

from __future__ import annotations

from functools import partial
from importlib import import_module

import pytest
from django.core.cache import cache

from session_limit import signals
from session_limit.models import UserSession
from tests import stores
from tests.interleavings.browsers import is_only_live, key_in, live, whose

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.interleavings.urls"),
    pytest.mark.usefixtures("atomic_requests"),
]

STATUSES = ["404", "500"]


@pytest.fixture
def heard():
    """Return a function that names the signals that were sent, in order."""
    names = []

    def hear(signal, **kwargs):
        names.append(signal)

    with_names = {
        signals.session_started: "started",
        signals.session_ended: "ended",
        signals.limit_reached: "limit reached",
    }
    for signal in with_names:
        signal.connect(hear)
    yield lambda: [with_names[signal] for signal in names]
    for signal in with_names:
        signal.disconnect(hear)


def fail(tab, user, status):
    return tab.post(f"/sign-in-then/{status}/", {"username": user.get_username()})


@pytest.fixture
def visitor(browser):
    """Return a function that opens a browser that accepts a 500 as an answer."""
    return partial(browser, raise_request_exception=False)


@pytest.mark.parametrize("status", ["404", "403", "400", "500"])
def test_it_ends_nothing(ada, visitor, status, heard):
    """
    The browser gets its answer and no cookie, the other session stays live, and no
    listener is called. Fails if a session that cannot be saved always counts as ended,
    or if listeners do not wait for the commit.
    """
    laptop, phone = visitor(), visitor()
    laptop.sign_in(ada, path="/login/")
    assert heard() == ["started"]
    response = fail(phone, ada, status)
    assert response.status_code == int(status)
    assert key_in(response.cookies) is None
    assert whose(laptop.key) == "ada"
    assert is_only_live(ada, laptop)
    assert not UserSession.objects.ended().exists()
    # With a 500 Django saves nothing, and nothing is taken back.
    if stores.rolls_back() or status != "500":
        assert stores.keeps_only(laptop.key)
    assert heard() == ["started"]


@pytest.mark.parametrize("status", STATUSES)
def test_an_anonymous_session_stays(ada, visitor, status):
    """The cart is still there, under the key that the browser has."""
    laptop = visitor()
    laptop.get("/put/?item=book")
    key = laptop.key
    response = fail(laptop, ada, status)
    assert response.status_code == int(status)
    assert key_in(response.cookies) is None
    assert laptop.key == key
    # As above: with a 500, what login() moved to another key stays there.
    if stores.rolls_back() or status != "500":
        assert laptop.get("/cart/").json() == {"cart": "book"}
    assert whose(key) is None


@pytest.mark.parametrize("status", STATUSES)
def test_signing_in_again(ada, visitor, status):
    """The browser is signed in as before."""
    laptop = visitor()
    laptop.sign_in(ada, path="/login/")
    key = laptop.key
    assert fail(laptop, ada, status).status_code == int(status)
    assert laptop.key == key or stores.is_cookie()
    assert whose(key) == "ada"
    assert len(live(ada)) == 1


@stores.ROLLED_BACK
@pytest.mark.parametrize("status", STATUSES)
def test_a_user_switch(ada, bob, visitor, status):
    """
    The browser is signed in as before: the session that Django emptied is restored.
    """
    laptop = visitor()
    laptop.sign_in(ada, path="/login/")
    key = laptop.key
    response = fail(laptop, bob, status)
    assert response.status_code == int(status)
    assert key_in(response.cookies) is None
    assert laptop.key == key
    assert whose(key) == "ada"
    assert len(live(ada)) == 1
    assert live(bob) == []


@pytest.mark.parametrize("status", STATUSES)
def test_an_adoption(ada, visitor, status):
    """
    A browser that signed in before the installation stays signed in. Fails if the id of
    a row that was rolled back is stored.
    """
    laptop = visitor()
    laptop.post("/set-by-hand/", {"username": "ada"})
    assert live(ada) == []
    response = laptop.get(f"/read-then/{status}/")
    assert response.status_code == int(status)
    assert whose(laptop.key) == "ada"
    assert len(live(ada)) == 1


@pytest.mark.parametrize("status", STATUSES)
def test_saving_every_request(ada, visitor, settings, status):
    """No cookie is set. Fails if one is set with the key "None"."""
    settings.SESSION_SAVE_EVERY_REQUEST = True
    phone = visitor()
    response = fail(phone, ada, status)
    assert response.status_code == int(status)
    assert key_in(response.cookies) is None


@pytest.fixture(params=["cache", "file"])
def engine(request, settings, tmp_path):
    """Use an engine whose store does not roll back."""
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{request.param}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    yield import_module(settings.SESSION_ENGINE)
    cache.clear()


@stores.CHOSEN
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("switch", [False, True])
def test_a_store_that_does_not_roll_back(ada, bob, visitor, engine, status, switch):
    """
    The store would keep data with an id that has no row. The data is deleted, and a
    session of somebody else is restored.
    """
    laptop, phone = visitor(), visitor()
    laptop.sign_in(ada, path="/login/")
    if switch:
        phone.sign_in(bob, path="/login/")
    response = fail(phone, ada, status)
    assert response.status_code == int(status)
    assert key_in(response.cookies) is None
    request = response.asgi_request if phone.asynchronous else response.wsgi_request
    key = request.session.session_key
    assert engine.SessionStore().exists(key) == switch
    # bob was signed in here, and stays signed in after the rollback.
    assert whose(phone.key) == ("bob" if switch else None)
    assert whose(laptop.key) == "ada"
    assert len(live(ada)) == 1
    # The browser can sign in again.
    assert phone.sign_in(ada, path="/login/").status_code == 302
    assert whose(phone.key) == "ada"
