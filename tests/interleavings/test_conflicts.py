"""When the database gives up on our work, it is repeated or answered 503."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest
from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.db import OperationalError, connection, connections, transaction

from session_limit import registry
from session_limit.models import PendingSignIn, Play, UserSession
from session_limit.registry import transactions
from session_limit.registry.transactions import is_retryable, retry_conflicts
from tests import stores
from tests.interleavings.browsers import JSON, Tab, is_in, is_only_live, live, whose
from tests.interleavings.gates import (
    CREATE,
    SAVE,
    GivesUp,
    aside,
    at_once,
    deadlock,
    gives_up_at_commit,
    on,
)

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.interleavings.urls"),
]

CHOOSE = "/account/sessions/choose/"
LOCK = "INSERT INTO session_limit_accountlimit"
RECORD = "INSERT INTO session_limit_usersession"
PEND = "INSERT INTO session_limit_pendingsignin"
END = "UPDATE session_limit_usersession SET ended_at"
ALWAYS = 1000


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Repeat without pauses."""
    monkeypatch.setattr(transactions, "PAUSE", (0, 0))


@pytest.fixture
def users_table(django_user_model):
    return django_user_model._meta.db_table


@pytest.fixture
def gives_up(users_table):
    """Return a function that makes the database give up at one step of a sign-in."""
    steps = {
        "last_login": f"UPDATE {users_table} SET last_login",  # noqa: S608  compared
        "cycle_key": CREATE,
        "lock": LOCK,
        "record": RECORD,
    }

    def gives_up(step, times=1):
        if step == "commit":
            return gives_up_at_commit(times)
        return connection.execute_wrapper(GivesUp(steps[step], times))

    return gives_up


def sign_in(tab, user, **extra):
    # The async view would not do: Django has no ATOMIC_REQUESTS for it.
    return tab.sign_in(user, path="/login/", **extra)


def is_retry(response):
    """Return whether the answer asks for a retry and leaves the cookies unchanged."""
    return (
        response.status_code == 503
        and response.headers["Retry-After"] == "1"
        and "no-store" in response.headers["Cache-Control"]
        and not response.cookies
    )


STEPS = ["last_login", "cycle_key", "lock", "record", "commit"]
if settings.ENGINE not in {"db", "cached_db"}:
    # With other engines, no statement in this database stores a session under a new
    # key.
    STEPS.remove("cycle_key")


@pytest.mark.parametrize("step", STEPS)
def test_a_sign_in_in_the_views_transaction(
    ada, browser, atomic_requests, gives_up, step
):
    """
    Whichever part of the sign-in fails, the answer is a 503, no session is displaced,
    and the browser keeps its session and its cart. Fails, as a 500, if a sign-in is
    recognized only by a session that names a user, or only by a missing admission.
    """
    laptop, phone = browser(), browser()
    sign_in(laptop, ada)
    phone.get("/put/?item=book")
    key = phone.key
    with gives_up(step):
        assert is_retry(sign_in(phone, ada))
    assert phone.key == key
    assert phone.get("/cart/").json() == {"cart": "book"}
    assert whose(key) is None
    assert is_in(laptop, ada)

    assert sign_in(phone, ada).status_code == 302
    assert is_in(phone, ada)
    assert phone.get("/cart/").json() == {"cart": "book"}


@pytest.mark.parametrize("step", STEPS)
def test_a_user_switch_in_the_views_transaction(
    ada, bob, browser, atomic_requests, gives_up, step
):
    """
    The browser stays signed in as before, in every store. Fails if ``login()`` deletes
    the stored session of somebody else.
    """
    tab = browser()
    sign_in(tab, bob)
    key = tab.key
    with gives_up(step):
        assert is_retry(sign_in(tab, ada))
    assert tab.key == key
    assert is_in(tab, bob)
    assert sign_in(tab, ada).status_code == 302
    assert is_in(tab, ada)
    assert live(bob) == []


@pytest.mark.parametrize("step", ["last_login", "lock", "record"])
@pytest.mark.parametrize("path", ["/login/", "/alogin/"])
def test_a_user_switch_without_a_transaction(ada, bob, browser, gives_up, step, path):
    """
    The database gives up for good before the admission has committed. Fails if the
    session of somebody else has ended by then.
    """
    tab = browser()
    tab.sign_in(bob, path=path)
    key = tab.key
    with gives_up(step, ALWAYS):
        assert is_retry(tab.sign_in(ada, path=path))
    assert tab.key == key
    assert is_in(tab, bob)
    tab.sign_in(ada, path=path)
    assert is_in(tab, ada)
    assert live(bob) == []


@pytest.mark.parametrize("step", ["last_login", "lock", "commit"])
def test_signing_in_again_in_the_views_transaction(
    ada, browser, atomic_requests, gives_up, step
):
    """
    A session that already names the user and has a row may sign in again. Fails if such
    a session does not count as a sign-in.
    """
    tab = browser()
    sign_in(tab, ada)
    with gives_up(step):
        assert is_retry(sign_in(tab, ada))
    assert is_in(tab, ada)


@pytest.mark.parametrize("path", ["/login/", "/alogin/"])
def test_a_sign_in_whose_last_login_is_not_written(ada, browser, gives_up, path):
    """
    Django updates ``last_login`` outside any transaction of ours or of the view. If
    that fails, the key that ``login()`` has replaced works again. Fails if the cart is
    deleted with the new key.
    """
    tab = browser()
    tab.get("/put/?item=book")
    key = tab.key
    with gives_up("last_login"):
        assert is_retry(tab.sign_in(ada, path=path))
    assert tab.key == key
    assert tab.get("/cart/").json() == {"cart": "book"}
    assert live(ada) == []
    assert tab.sign_in(ada, path=path).status_code == 302
    assert is_in(tab, ada)


@pytest.mark.parametrize("step", ["lock", "record"])
def test_a_sign_in_in_our_own_transaction(ada, browser, gives_up, step):
    """The sign-in is repeated nine times. Fails with fewer attempts."""
    tab = browser()
    with gives_up(step, times=9):
        assert tab.sign_in(ada).status_code == 302
    assert is_in(tab, ada)
    if stores.rolls_back():
        assert stores.keeps_only(tab.key)


def test_a_sign_in_that_is_given_up_in_the_end(ada, browser, gives_up):
    """After ten attempts the answer is a 503."""
    tab = browser()
    with gives_up("record", ALWAYS):
        assert is_retry(tab.sign_in(ada))
    assert tab.key is None
    assert live(ada) == []


def test_a_commit_of_our_own(ada):
    """
    A conflict that the database finds at COMMIT, as on Galera, is repeated. Fails if it
    is raised.
    """
    Tab().sign_in(ada)
    with gives_up_at_commit():
        assert len(registry.end_all(ada, UserSession.Reason.REVOKED)) == 1
    assert live(ada) == []


@stores.on("db", "cached_db")
@pytest.mark.parametrize("at_limit", ["displace", "deny"])
def test_the_save_of_the_response(ada, browser, settings, at_limit):
    """
    Django turns every database error during the save into ``UpdateError`` and answers
    400. We repeat the save. If that does not help, the answer is a 503, and the place
    is free for the next attempt.
    """
    settings.SESSION_LIMIT_AT_LIMIT = at_limit
    tab = browser()
    with connection.execute_wrapper(GivesUp(SAVE, times=9)):
        assert tab.sign_in(ada).status_code == 302
    assert is_in(tab, ada)
    tab.post("/logout/")
    with connection.execute_wrapper(GivesUp(SAVE, ALWAYS)):
        assert is_retry(tab.sign_in(ada))
    assert tab.sign_in(ada).status_code == 302
    assert is_in(tab, ada)


@pytest.mark.parametrize("step", ["last_login", "record"])
def test_a_sign_in_in_a_middleware(ada, browser, settings, gives_up, step):
    """
    Django does not pass a middleware's exception to ``process_exception()``. Fails, as
    a 500, if only exceptions of views are handled.
    """
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.RemoteUserMiddleware",
    ]
    settings.AUTHENTICATION_BACKENDS = [
        "django.contrib.auth.backends.RemoteUserBackend"
    ]
    tab = browser(raise_request_exception=False)
    with gives_up(step, ALWAYS):
        assert is_retry(tab.get("/public/", REMOTE_USER="ada"))
    assert live(ada) == []
    assert tab.get("/public/", REMOTE_USER="ada").status_code == 200
    assert is_only_live(ada, tab)


@pytest.fixture
def csrf(settings):
    """Return a function that returns the CSRF token of the page that ``tab`` shows."""

    def csrf(tab):
        page = tab.get("/login/", headers={"Accept": "text/html"}).content.decode()
        return page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]

    return csrf


@pytest.mark.parametrize("step", ["last_login", "commit"])
@pytest.mark.parametrize("in_session", [False, True])
def test_the_same_form_can_be_sent_again(
    ada, browser, settings, atomic_requests, gives_up, csrf, in_session, step
):
    """
    A form can be sent again after a 503. Fails, as a 403, if the browser receives the
    token that ``login()`` created.
    """
    settings.CSRF_USE_SESSIONS = in_session
    tab = browser(enforce_csrf_checks=True)
    form = {"username": "ada", "password": "pw", "csrfmiddlewaretoken": csrf(tab)}
    with gives_up(step):
        assert is_retry(tab.post("/login/", form))
    assert tab.post("/login/", form).status_code == 302
    assert is_in(tab, ada)


# Asked at the limit


@pytest.fixture
def ask(ada, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    laptop = Tab()
    laptop.sign_in(ada)
    return laptop


def asked(tab, user):
    answer = tab.sign_in(user, path="/login/")
    assert answer.status_code == 409
    question = answer.json()
    ids = [rival["id"] for rival in question["sessions"]]
    return {"choice": question["choice"], "end": ids}


def test_what_waits_is_written_again(ada, browser, ask):
    """
    The write of a pending sign-in is repeated. Fails if it has no transaction of its
    own that can be repeated.
    """
    tab = browser()
    with connection.execute_wrapper(GivesUp(PEND, times=9)):
        assert choose(tab, asked(tab, ada)).status_code == 200
    assert is_in(tab, ada)


def choose(tab, data):
    return tab.post(CHOOSE, data, headers=JSON)


def test_what_waits_cannot_be_written(ada, browser, ask):
    """The answer is a 503, and the browser's session is unchanged. Fails as a 500."""
    tab = browser()
    tab.get("/put/?item=book")
    key = tab.key
    with connection.execute_wrapper(GivesUp(PEND, ALWAYS)):
        assert is_retry(sign_in(tab, ada))
    assert not PendingSignIn.objects.exists()
    assert tab.key == key
    assert tab.get("/cart/").json() == {"cart": "book"}
    assert is_in(ask, ada)
    assert choose(tab, asked(tab, ada)).status_code == 200


@pytest.mark.parametrize("step", ["last_login", "record", "commit"])
def test_a_choice(ada, browser, ask, atomic_requests, gives_up, step):
    """
    No session has ended, and the same choice can be sent again. Fails if the answer
    deletes the cookie that leads to the pending sign-in.
    """
    tab = browser()
    data = asked(tab, ada)
    with gives_up(step):
        assert is_retry(choose(tab, data))
    assert is_in(ask, ada)
    assert choose(tab, data).status_code == 200
    assert is_in(tab, ada)


# Our own pages, and those of a project


@pytest.mark.parametrize("step", [END, "commit"])
def test_an_ending_on_our_own_page(ada, browser, settings, atomic_requests, step):
    settings.SESSION_LIMIT = 2
    laptop, phone = browser(), browser()
    for tab in (laptop, phone):
        sign_in(tab, ada)
    path = "/account/sessions/end-others/"
    with failing_at(step):
        assert is_retry(laptop.post(path, {"password": "pw"}))
    assert len(live(ada)) == 2
    assert laptop.post(path, {"password": "pw"}).status_code == 200
    assert is_in(laptop, ada)


@contextmanager
def failing_at(step):
    with ExitStack() as stack:
        if step == "commit":
            stack.enter_context(gives_up_at_commit())
        else:
            stack.enter_context(connection.execute_wrapper(GivesUp(step)))
        yield


def test_the_start_of_a_play(ada, settings, atomic_requests):
    """A start leaves nothing behind if its commit fails."""
    settings.SESSION_LIMIT_PLAYS = 1
    tab = Tab()
    sign_in(tab, ada)
    start = partial(
        tab.post,
        "/account/sessions/plays/",
        json.dumps({"what": "a film"}),
        content_type="application/json",
    )
    with gives_up_at_commit():
        assert is_retry(start())
    assert not Play.objects.exists()
    assert start().status_code == 200


def test_signing_out(ada, browser, atomic_requests):
    """
    If the commit fails, the session is still live, and the browser keeps its cookie.
    """
    tab = browser()
    sign_in(tab, ada)
    with gives_up_at_commit():
        assert is_retry(tab.post("/logout/"))
    if stores.rolls_back():
        assert is_in(tab, ada)
        assert tab.post("/logout/").status_code == 200
        assert live(ada) == []


@pytest.mark.parametrize("step", ["statement", "commit"])
@pytest.mark.parametrize("signed_in", [False, True])
def test_a_view_that_is_none_of_our_concern(
    ada, atomic_requests, users_table, step, signed_in
):
    """
    Django answers a conflict in a view that calls none of our code. Fails if we answer
    every conflict.
    """
    tab = Tab(raise_request_exception=False)
    if signed_in:
        sign_in(tab, ada)
        tab.get("/whoami/")
    with failing_at(step if step == "commit" else f"UPDATE {users_table}"):
        assert tab.get("/write-user/").status_code == 500


def test_our_code_in_a_view_of_the_projects(ada, atomic_requests):
    """
    A conflict in our code is answered 503 if a project's view calls it. Fails if only
    our own pages and sign-ins count.
    """
    Tab().sign_in(ada)
    with connection.execute_wrapper(GivesUp(END)):
        assert is_retry(Tab().get("/end-all/"))
    assert len(live(ada)) == 1


# One statement, in a transaction of its own


RENEWED = "UPDATE session_limit_play SET lease_until"
REKEYED = "UPDATE session_limit_usersession SET session_key"


def test_the_renewal_of_a_play(ada, settings):
    """
    The renewal is repeated nine times, and then answered 503. Fails if a single
    statement is not repeated.
    """
    settings.SESSION_LIMIT_PLAYS = 1
    tab = Tab()
    sign_in(tab, ada)
    path = "/account/sessions/plays/"
    tab.post(path, json.dumps({}), content_type="application/json")
    renew = partial(tab.post, f"{path}{Play.objects.get().pk}/renew/")
    with connection.execute_wrapper(GivesUp(RENEWED, times=9)):
        assert renew().status_code == 200
    with connection.execute_wrapper(GivesUp(RENEWED, ALWAYS)):
        assert is_retry(renew())
    assert renew().status_code == 200


@stores.KEPT
@pytest.mark.parametrize("step", [REKEYED, LOCK])
def test_a_password_change(ada, browser, step):
    """
    The session's new key and the time of the change are recorded although the database
    gives up nine times. Fails with a 503, after which the browser is signed out.
    """
    tab = browser()
    tab.sign_in(ada)
    with connection.execute_wrapper(GivesUp(step, times=9)):
        assert tab.change_password().status_code in {200, 302}
    assert is_in(tab, ada)


# Errors of the databases


def made_of(cause):
    error = OperationalError(*cause.args)
    error.__cause__ = cause
    return error


class FromPostgreSQL(Exception):
    def __init__(self, sqlstate):
        super().__init__("what the server says")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        *[(Exception(number, ""), True) for number in (1213, 1020, 1205, 1969, 3101)],
        # Unknown column; the server closed the connection; the Galera node is not up to
        # date.
        *[(Exception(number, ""), False) for number in (1054, 2006, 1047)],
        *[(FromPostgreSQL(s), True) for s in ("40001", "40P01", "55P03", "57014")],
        # Too many connections; an administrator shut the server down.
        *[(FromPostgreSQL(state), False) for state in ("53300", "57P01")],
        (Exception("database is locked"), True),
        (Exception("database table is locked"), True),
        (Exception("no such table: app"), False),
        (Exception(), False),
    ],
)
def test_what_may_be_repeated(error, expected):
    assert is_retryable(made_of(error)) is expected
    # Django's db engine raises UpdateError from the original error.
    hidden = UpdateError()
    hidden.__context__ = made_of(error)
    assert is_retryable(hidden) is expected


def test_what_is_no_error_of_the_database():
    assert not is_retryable(ValueError(1213))
    assert not is_retryable(OperationalError(1213))
    assert not is_retryable(UpdateError())


def test_pauses_and_attempts_are_bounded(monkeypatch):
    """There are ten attempts, with nine pauses of different lengths between them."""
    monkeypatch.undo()
    pauses, calls = [], []
    monkeypatch.setattr(transactions.time, "sleep", pauses.append)

    def work():
        calls.append(None)
        raise deadlock()

    with pytest.raises(OperationalError):
        retry_conflicts(work)
    assert len(calls) == 10
    assert len(set(pauses)) == len(pauses) == 9
    assert all(0.002 <= pause <= 0.030 for pause in pauses)


def test_a_long_wait_is_not_begun_again(monkeypatch):
    """
    Work that has waited for long is not begun again. Fails if only the number of
    attempts is limited.
    """
    now, calls = [0.0], []
    monkeypatch.setattr(transactions.time, "monotonic", lambda: now[0])

    def work():
        calls.append(None)
        now[0] += 2
        raise deadlock()

    with pytest.raises(OperationalError):
        retry_conflicts(work)
    assert len(calls) == 2


def test_a_part_of_the_callers_transaction_is_not_repeated(users_table):
    """
    Work inside the caller's transaction is not repeated: after a deadlock, MySQL has
    rolled back the caller's earlier statements too.
    """
    calls = []

    def work():
        calls.append(None)
        raise deadlock()

    transaction.set_autocommit(False)
    try:
        with pytest.raises(OperationalError):
            retry_conflicts(work)
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)
    assert len(calls) == 1


def test_what_needs_no_database_does_not_connect(users_table, monkeypatch):
    """
    Work that uses no database opens no connection. The same function saves the sessions
    that are kept in a cache.
    """
    wrapper = connections["default"]
    with monkeypatch.context() as patch:
        patch.setattr(wrapper, "connection", None)
        patch.setattr(wrapper, "connect", lambda: pytest.fail("connected"))
        assert retry_conflicts(int) == 0


@on("sqlite")
def test_a_database_that_stays_locked(ada, browser, options, users_table):
    """
    SQLite gives up after its own timeout. The answer is a 503, and we add no wait.
    """
    options(timeout=3)
    tab = browser()

    def hold():
        with transaction.atomic():
            ada.save()

    with aside(hold, after=f"UPDATE {users_table}") as holding:
        answer = tab.sign_in(ada)
        assert is_retry(answer)
        holding.result()
    assert tab.sign_in(ada).status_code == 302


LOCK_TIMEOUTS = {
    "postgresql": {"options": "-c lock_timeout=100"},
    "mysql": {"init_command": "SET SESSION innodb_lock_wait_timeout = 1"},
}


@on("postgresql", "mariadb")
def test_a_lock_that_is_not_granted_in_time(
    ada, browser, options, atomic_requests, users_table
):
    """PostgreSQL's ``lock_timeout`` and MySQL's error 1205 are answered 503."""
    options(**LOCK_TIMEOUTS[connection.vendor])
    tab = browser()

    def hold():
        with transaction.atomic():
            ada.save()

    with aside(hold, after=f"UPDATE {users_table}") as holding:
        assert is_retry(sign_in(tab, ada))
        holding.result()
    assert sign_in(tab, ada).status_code == 302


@pytest.fixture
def serializable(options):
    if connection.vendor == "postgresql":
        from psycopg import IsolationLevel

        options(isolation_level=IsolationLevel.SERIALIZABLE)
    else:
        options(isolation_level="serializable")


@on("postgresql", "mariadb")
def test_simultaneous_sign_ins_at_serializable(
    django_user_model, serializable, atomic_requests
):
    """
    Several accounts sign in at once, and the database may find a conflict at any
    statement. Each answer is a 302 or a 503, and a retry succeeds. Fails, as a 500, if
    a conflict during the key's rotation is not handled.
    """
    create = django_user_model.objects.create_user
    users = [create(username=f"user {n}", password="pw") for n in range(6)]
    tabs = [Tab(raise_request_exception=False) for _ in users]
    waiting = dict(zip(tabs, users, strict=True))
    for _ in range(20):
        calls = [partial(sign_in, tab, user) for tab, user in waiting.items()]
        answers = at_once(calls, before=LOCK if len(calls) == len(users) else None)
        for tab, answer in zip(list(waiting), answers, strict=True):
            if answer.status_code == 302:
                del waiting[tab]
            else:
                assert is_retry(answer)
        if not waiting:
            break
    assert not waiting
    assert all(is_in(tab, user) for tab, user in zip(tabs, users, strict=True))
