"""Sessions that end while a request that uses them is being answered."""

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
    # tests/interleavings/test_engines.py tests what applies to signed cookies.
    stores.KEPT,
]


def test_displaced_before_what_the_view_wrote_is_saved(ada, browser):
    """
    The answer says that the session ended, and sets no cookie, because another tab may
    just have received a new one. Fails, as the bare 400 of ``SessionInterrupted``, if
    the middleware does not save the session itself.
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
    The displaced browser is told why, and receives no cookie that authenticates. Fails,
    as a bare 400, if the middleware does not save the session itself.
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
    Another user signs in in ada's browser. Django empties the session, which then has
    no key. Fails if ``admit()`` does not call ``create()``: the displaced session is
    stored again, and its sign-in is answered as successful.
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
    assert live(ada) == []


def test_displaced_while_signing_in_again(ada, browser):
    """
    A signed-in browser signs in again, and another sign-in displaces its session before
    it is admitted. Its own sign-in is the later one, and stands. Fails if ``admit()``
    keeps the key of the ended session, under which nothing is stored any more.
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
    ``SessionMiddleware`` saves the same data again, without a statement. Fails if that
    save is not skipped.
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
    # The row is read in the statement that reads the session, or in that of the user.
    assert len(guarded) == len(plainly) - (settings.ENGINE == "db")


def test_a_save_that_the_database_gives_up_on_ends_nothing(ada, browser):
    """
    Django's ``db`` engine raises ``UpdateError`` for any failure. Fails if that is
    taken to mean that the stored session was deleted.
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
    """PostgreSQL really refuses the second of two saves. Fails like the test before."""
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
    Call ``happening`` after the first piece of a streaming response, and return the
    rest.
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
    The session stays ended as displaced, whatever the rest of the body does to it, and
    the newcomer stays signed in. Fails if an id without a live row authenticates, or if
    ``rekey()`` and ``end_row()`` write to an ended row.
    """
    laptop, phone = browser(), Tab()
    laptop.sign_in(ada)
    first = laptop.key
    path = "/stream-async/" if laptop.asynchronous else "/stream/"
    (last,) = stream_past(laptop, f"{path}{what}/", lambda: phone.sign_in(ada))
    # An ended session cannot be saved. The reason cannot be told: the headers were
    # sent.
    assert last == (b"UpdateError" if what == "save" else b"done")
    for key in {first, *stores.kept()} - {phone.key}:
        assert whose(key) is None
    assert whose(phone.key) == "ada"
    (ended,) = UserSession.objects.ended()
    assert ended.ended_reason == UserSession.Reason.DISPLACED
    assert ended.session_key is None


class EndsOwnSession(Rules):
    """End the account's live sessions while the browser signs in again."""

    def scope(self, user, request):
        for row in live(user):
            registry.end([row.pk], UserSession.Reason.REVOKED)
        return ""


def test_a_session_that_ends_under_its_own_second_sign_in(ada, browser, settings):
    """
    The data that is stored for the admitted session carries its own id from the start,
    not that of the ended session before it. Fails if a save during the admission takes
    the former row for the session's own.
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
