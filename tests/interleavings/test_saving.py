"""A session that ends while a request that it serves is not over."""

from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from session_limit import registry
from session_limit.models import UserSession
from session_limit.rules import Rules
from session_limit.signals import session_started
from tests import stores
from tests.interleavings.browsers import Tab, is_told, key_in, live, whose
from tests.interleavings.gates import SAVE, GivesUp, aside, on, until_blocked

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.interleavings.urls"),
    # tests/interleavings/test_signed_cookies.py has what is left of them there.
    stores.KEPT,
]


def test_displaced_before_what_the_view_wrote_is_saved(ada, browser):
    """
    The ended answer, and no cookie: another tab may just have got a new one. Fails, as
    ``SessionInterrupted``'s bare 400, where the middleware does not save.
    """
    laptop, phone = browser(), browser()
    laptop.sign_in(ada)
    with aside(lambda: laptop.get("/write/"), before=SAVE) as writing:
        phone.sign_in(ada)
        response = writing.result()
    assert is_told(response)
    assert key_in(response.cookies) is None
    assert stores.keeps_only(phone.key)
    assert whose(phone.key) == "ada"


def test_displaced_before_its_own_sign_in_is_saved(ada, browser):
    """
    The loser of two sign-ins is told, and holds no cookie that is anybody's. Fails, as
    a bare 400, where the middleware does not save.
    """
    laptop, phone = browser(), browser()
    with aside(lambda: laptop.sign_in(ada), before=SAVE) as signing_in:
        phone.sign_in(ada)
        response = signing_in.result()
    assert is_told(response)
    assert key_in(response.cookies) is None
    assert stores.keeps_only(phone.key)
    assert whose(phone.key) == "ada"


def test_displaced_after_a_user_switch_and_before_its_response(ada, bob, browser):
    """
    Another user signs in where ada was: Django empties the session, which then has no
    key. Fails where ``admit()`` does not ``create()``: the loser's session is stored
    afresh, and its sign-in answered as if it had stood.
    """
    laptop, phone = browser(), browser()
    laptop.sign_in(ada)
    with aside(lambda: laptop.sign_in(bob), before=SAVE) as switching:
        phone.sign_in(bob)
        response = switching.result()
    assert is_told(response)
    assert key_in(response.cookies) is None
    assert stores.keeps_only(phone.key)
    assert whose(phone.key) == "bob"
    # Django emptied ada's session in that browser: that one is ended too.
    assert live(ada) == []


def test_displaced_while_signing_in_again(ada, browser):
    """
    A browser that is signed in signs in again, and is displaced before it is admitted:
    its sign-in is the later one, and stands. Fails where ``admit()`` leaves it the key
    of the session that was ended, under which nothing is stored any more.
    """
    laptop, phone = browser(), browser()
    laptop.sign_in(ada)
    first = laptop.key
    locking = "INSERT INTO session_limit_accountlimit"
    with aside(lambda: laptop.sign_in(ada), before=locking) as signing_in:
        phone.sign_in(ada)
        response = signing_in.result()
    assert response.status_code == 302
    assert whose(laptop.key) == "ada"
    assert laptop.key != first
    assert whose(phone.key) is None
    assert len(live(ada)) == 1


@pytest.mark.parametrize("path", ["/write/", "/whoami/"])
@pytest.mark.parametrize("every_request", [False, True])
def test_saving_in_the_response_phase_costs_nothing(
    ada, browser, settings, path, every_request
):
    """
    ``SessionMiddleware`` saves the same state once more, which is nothing. Fails where
    that save is not skipped.
    """
    settings.SESSION_SAVE_EVERY_REQUEST = every_request
    laptop = browser()
    laptop.sign_in(ada)
    laptop.get(path)
    with CaptureQueriesContext(connection) as guarded:
        assert laptop.get(path).json()["user"] == "ada"
    settings.MIDDLEWARE = [
        each for each in settings.MIDDLEWARE if "session_limit" not in each
    ]
    unguarded = browser()
    unguarded.client.cookies = laptop.client.cookies
    with CaptureQueriesContext(connection) as plainly:
        assert unguarded.get(path).json()["user"] == "ada"
    # Where sessions and rows are not read in one statement, the row is read by its id.
    assert len(guarded) == len(plainly) + (settings.ENGINE != "db")


def test_a_save_that_the_database_gives_up_on_ends_nothing(ada, browser):
    """
    Django's ``db`` engine says ``UpdateError`` whatever went wrong. Fails where that is
    taken for a stored session that is gone.
    """
    laptop = browser()
    laptop.sign_in(ada)
    error = OperationalError("disk I/O error")
    with connection.execute_wrapper(GivesUp(SAVE, error=error)):
        response = laptop.get("/write/")
    assert response.status_code != 401
    assert len(live(ada)) == 1
    assert whose(laptop.key) == "ada"


@on("postgresql")
def test_two_parallel_saves_under_repeatable_read(ada, browser, repeatable_read):
    """
    The same for real: PostgreSQL refuses the second of two. Fails as the one before.
    """
    laptop = browser()
    laptop.sign_in(ada)
    tab = laptop.another()
    with (
        aside(lambda: laptop.get("/write/"), after=SAVE) as first,
        aside(lambda: tab.get("/write/")) as second,
    ):
        until_blocked()
        first.result()
        second.result()
    assert len(live(ada)) == 1
    assert whose(laptop.key) == "ada"


def stream_past(tab, path, happening):
    """
    Return what a streaming answer sends after its first piece, where ``happening``
    comes between the two.
    """
    if not tab.asynchronous:
        pieces = iter(tab.get(path).streaming_content)
        assert next(pieces) == b"first"
        happening()
        return list(pieces)

    async def read():
        response = await tab.client.get(path)
        pieces = aiter(response.streaming_content)
        assert await anext(pieces) == b"first"
        await sync_to_async(happening)()
        return [piece async for piece in pieces]

    return async_to_sync(read)()


@pytest.mark.parametrize("what", ["save", "cycle_key", "create", "flush"])
def test_displaced_inside_a_streaming_body(ada, browser, what):
    """
    Whatever the rest of the body does to the session, it stays ended and displaced, and
    the winner stays. Fails where an id without a live row is somebody, where
    ``rekey()`` and ``end_row()`` write to an ended row.
    """
    laptop, phone = browser(), Tab()
    laptop.sign_in(ada)
    first = laptop.key
    path = "/stream-async/" if laptop.asynchronous else "/stream/"
    (last,) = stream_past(laptop, f"{path}{what}/", lambda: phone.sign_in(ada))
    # Nobody is left to be told: what is ended cannot be saved.
    assert last == (b"UpdateError" if what == "save" else b"done")
    for key in {first, *stores.kept()} - {phone.key}:
        assert whose(key) is None
    assert whose(phone.key) == "ada"
    (ended,) = UserSession.objects.ended()
    assert ended.ended_reason == UserSession.Reason.DISPLACED
    assert ended.session_key is None


class EndsOwnSession(Rules):
    """Ends what the account has live while it signs in again."""

    def scope(self, user, request):
        for row in live(user):
            registry.end([row.pk], UserSession.Reason.REVOKED)
        return ""


def test_a_session_that_ends_under_its_own_second_sign_in(ada, browser, settings):
    """
    What is stored for the admitted session carries its own id at once, and not first
    that of the session before it, which has ended. Fails if a save during the admission
    takes the former row for the session's.
    """
    tab = browser()
    tab.sign_in(ada)
    settings.SESSION_LIMIT_RULES = f"{__name__}.EndsOwnSession"
    ids = []

    def read(session, **kwargs):
        stored_id = stores.read(session.session_key)["_session_limit_id"]
        ids.append((stored_id, session.pk.hex))

    session_started.connect(read)
    try:
        tab.sign_in(ada)
    finally:
        session_started.disconnect(read)
    [(stored_id, id)] = ids
    assert stored_id == id
    assert whose(tab.key) == "ada"
