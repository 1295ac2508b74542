"""
Count the statements that the package adds to those of plain Django.

Both are measured in the same test. Transaction control (``BEGIN``, ``SAVEPOINT``, ``SET
TRANSACTION``) is left out.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from unittest import mock

import pytest
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from session_limit import registry
from session_limit.models import UserSession
from session_limit.registry.connected import standings
from session_limit.testing import LAPTOP, PHONE
from tests.stories.people import Visitor, live, make_user, statements, writes

OURS = "session_limit.middleware.SessionLimitMiddleware"


@pytest.fixture(autouse=True)
def project(settings, transactional_db):
    settings.ROOT_URLCONF = "tests.stories.urls"
    settings.LOGOUT_REDIRECT_URL = "/public/"


@pytest.fixture
def ada():
    return make_user("ada")


@pytest.fixture
def bob():
    return make_user("bob")


@pytest.fixture(params=["sync", "async"])
def browser(request):
    def browser(user_agent=LAPTOP):
        return Visitor(user_agent, is_async=request.param == "async")

    return browser


def not_ours(signal):
    # The first item of each receiver is its dispatch_uid with its sender.
    return [each for each in signal.receivers if "session_limit" not in str(each[0])]


@contextmanager
def plain_django(settings):
    """Remove the package's middleware and its receivers."""
    middleware = [name for name in settings.MIDDLEWARE if name != OURS]
    with (
        override_settings(MIDDLEWARE=middleware),
        mock.patch.object(user_logged_in, "receivers", not_ours(user_logged_in)),
        mock.patch.object(user_logged_out, "receivers", not_ours(user_logged_out)),
    ):
        yield
    assert not live()


@pytest.fixture
def over(settings, browser):
    """
    Return a function that counts the statements that the package adds to a scene.

    It plays the scene in new browsers, without the package and with it, and compares
    the statements of the last act.
    """

    def over(scene):
        with plain_django(settings):
            plain = count(scene(browser))
        return count(scene(browser)) - plain

    return over


def count(last_act):
    with statements() as ran:
        response = last_act()
    assert response.status_code in {200, 302}
    return len(ran)


@pytest.mark.parametrize("page", ["members", "whoami"])
def test_an_authenticated_page_takes_a_statement_less(ada, over, page):
    def scene(browser):
        laptop = browser()
        laptop.sign_in()
        laptop.open()
        return lambda: laptop.get(laptop.path(page))

    assert over(scene) == -1


def test_an_authenticated_page_writes_nothing(ada, browser):
    laptop = browser()
    laptop.sign_in()
    for _ in range(3):
        with statements() as ran:
            laptop.open()
        assert len(ran) == 1
        assert writes(ran) == []


def test_a_page_that_writes_to_the_session_takes_a_statement_less(ada, over):
    def scene(browser):
        laptop = browser()
        laptop.sign_in()
        laptop.write()
        return laptop.write

    assert over(scene) == -1


def test_saving_every_request_costs_nothing_more(ada, over, settings):
    settings.SESSION_SAVE_EVERY_REQUEST = True

    def scene(browser):
        laptop = browser()
        laptop.sign_in()
        laptop.open()
        return lambda: laptop.get("/public/")

    assert over(scene) == 0


@pytest.mark.parametrize("state", ["anonymous", "signed in", "ended"])
def test_a_page_that_does_not_read_the_session_costs_nothing(ada, browser, state):
    laptop = browser()
    if state != "anonymous":
        laptop.sign_in()
    if state == "ended":
        browser().sign_in()
    with statements() as ran:
        response = laptop.get("/public/")
    assert ran == []
    assert "Vary" not in response
    assert not response.cookies


def test_anonymous_traffic_costs_nothing(over):
    def scene(browser):
        laptop = browser()
        laptop.write()
        return lambda: laptop.get(laptop.path("whoami"))

    assert over(scene) == 0


def test_an_ended_session_on_a_public_page_pays_for_its_header(ada, over):
    def scene(browser):
        laptop = browser()
        laptop.sign_in()
        browser(PHONE).sign_in()
        return lambda: laptop.get(laptop.path("whoami"))

    # Which session had the key, and why it ended. Plain Django also looks up the user.
    assert over(scene) == 2 - 1


def test_a_key_that_the_store_does_not_have_costs_one_statement(over):
    def scene(browser):
        laptop = browser()
        laptop.cookie = "a" * 32
        return lambda: laptop.get(laptop.path("whoami"))

    assert over(scene) == 1


def first(browser):
    return browser().sign_in


def displacing(browser):
    browser().sign_in()
    return browser(PHONE).sign_in


def again(browser):
    laptop = browser()
    laptop.sign_in()
    return laptop.sign_in


def switching(browser):
    """Return a sign-in as another user, which displaces that user's other session."""
    laptop, phone = browser(), browser(PHONE)
    phone.sign_in("bob")
    laptop.sign_in("ada")
    return lambda: laptop.sign_in("bob")


def out(browser):
    laptop = browser()
    laptop.sign_in()
    return laptop.sign_out


def with_a_cart(browser):
    laptop = browser()
    laptop.post("/cart/", {"cart": "tea"})
    browser(PHONE).sign_in()
    return laptop.sign_in


def coming_back(browser):
    laptop, phone = browser(), browser(PHONE)
    laptop.sign_in()
    phone.sign_in()
    # Plain Django would not have deleted the stored session.
    Session.objects.filter(session_key=laptop.cookie).delete()
    return laptop.sign_in


# The bound that the documentation promises, and the exact number. PostgreSQL executes
# the statements that end one session, delete its data and record another in one.
SIGN_INS = [
    pytest.param(first, 5, 2, 0, id="first"),
    pytest.param(displacing, 6, 5, 2, id="displacing"),
    pytest.param(with_a_cart, 6, 4, 2, id="with-a-cart"),
    pytest.param(coming_back, 6, 5, 2, id="coming-back"),
    pytest.param(again, 5, 3, 0, id="again"),
    pytest.param(switching, 8, 8, 2, id="switching"),
]


@pytest.mark.parametrize(("scene", "bound", "exactly", "in_others"), SIGN_INS)
@pytest.mark.parametrize("ended_rows", [0, 2000])
def test_a_sign_in(ada, bob, over, scene, bound, exactly, in_others, ended_rows):
    add_ended_rows(bob if scene is switching else ada, ended_rows)
    more = over(scene)
    assert more <= bound
    assert more == exactly - (in_others if connection.vendor == "postgresql" else 0)


@pytest.mark.parametrize("scene", [first, displacing])
def test_a_sign_in_controls_its_transaction_without_statements(ada, browser, scene):
    """
    The driver of PostgreSQL sends the isolation level with BEGIN, and Django has set it
    on MariaDB. The statement that locks the account makes the commit durable.
    """
    sign_in = scene(browser)
    with CaptureQueriesContext(connection) as ran:
        assert sign_in().status_code == 302
    begun = [query["sql"] for query in ran if query["sql"].upper().startswith("SET")]
    durable = [query["sql"] for query in ran if "synchronous_commit" in query["sql"]]
    assert begun == []
    assert all(sql.startswith('INSERT INTO "session_limit_acc') for sql in durable)
    assert len(durable) == (connection.vendor == "postgresql")


def add_ended_rows(user, number):
    now = timezone.now() - timedelta(days=1)
    UserSession.objects.bulk_create(
        UserSession(
            user=user,
            expires_at=now,
            ended_at=now,
            ended_reason=UserSession.Reason.DISPLACED,
        )
        for _ in range(number)
    )


def test_a_sign_out(ada, over):
    # The row ends in a statement of its own, and the user is read with the session.
    assert over(out) == 0


def coming_back_to_a_known_browser(browser):
    laptop, phone = browser(), browser(PHONE)
    laptop.sign_in()
    phone.sign_in()
    phone.sign_out()
    return phone.sign_in


# The other sessions are told of a new browser. Without a limit they are read for that,
# and to find the earlier session of a browser that sends no session cookie.
@pytest.mark.parametrize(
    ("limit", "scene", "exactly"),
    [
        (2, displacing, 3),
        (2, coming_back_to_a_known_browser, 2),
        (None, displacing, 3),
        (None, coming_back_to_a_known_browser, 2),
    ],
)
def test_a_sign_in_beside_others(ada, over, settings, limit, scene, exactly):
    settings.SESSION_LIMIT = limit
    # PostgreSQL gives the notice in the statement that records the session.
    is_in_another = connection.vendor == "postgresql" and scene is displacing
    assert over(scene) == exactly - is_in_another


def test_a_sign_in_without_a_limit_or_notices(ada, over, settings):
    settings.SESSION_LIMIT = None
    settings.SESSION_LIMIT_NEW_SIGN_IN = "none"
    assert over(displacing) == 1


def a_life(browser, user):
    """Do everything that plays could be involved in."""
    laptop, phone = browser(), browser(PHONE)
    laptop.sign_in()
    laptop.open()
    phone.sign_in()
    phone.get("/account/sessions/")
    registry.enforce(user)
    standings([row.pk for row in live(user)], thorough=True)
    phone.sign_out()
    registry.prune()
    user.delete()


def test_who_uses_no_plays_pays_nothing_for_them(ada, browser):
    """No statement names their table, not even a cascading deletion."""
    with statements() as ran:
        a_life(browser, ada)
    assert ran
    assert not [sql for sql in ran if "session_limit_play" in sql]
