"""
The database refuses writes, or another transaction holds the rows.

Pages that only read are answered as Django would answer them, without a wait.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager, nullcontext
from time import monotonic

import pytest
from django.conf import settings
from django.db import (
    DatabaseError,
    InterfaceError,
    InternalError,
    OperationalError,
    connection,
    connections,
    transaction,
)

from session_limit.models import UserSession
from session_limit.registry import activity, best_effort, ending
from session_limit.store import response_saving
from tests import stores
from tests.stories.people import (
    Visitor,
    live,
    reasons,
    statements,
    writes,
)

Reason = UserSession.Reason

# A table whose rows cannot be deleted, like the registry's, holds these sessions.
pytestmark = stores.KEPT

# A person who sends these headers is shown the reason once.
PAGE = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}

TOUCH = 60  # SESSION_LIMIT_TOUCH_INTERVAL
MINUTE = 60

READ_ONLY = {
    "postgresql": (
        "SET SESSION default_transaction_read_only = on",
        "SET SESSION default_transaction_read_only = off",
    ),
    "mariadb": ("SET SESSION tx_read_only = 1", "SET SESSION tx_read_only = 0"),
    "sqlite": ("PRAGMA query_only = 1", "PRAGMA query_only = 0"),
}
# A statement that waits is cancelled after these seconds. Several pages take less.
PATIENCE = 12
IMPATIENT = {
    "postgresql": (
        f"SET SESSION statement_timeout = '{PATIENCE}s'",
        "RESET statement_timeout",
    ),
    "mariadb": (
        f"SET SESSION max_statement_time = {PATIENCE}",
        "SET SESSION max_statement_time = DEFAULT",
    ),
    "sqlite": (
        f"PRAGMA busy_timeout = {PATIENCE * 1000}",
        "PRAGMA busy_timeout = 30000",
    ),
}


def execute(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


@contextmanager
def read_only():
    """Make the database answer every write with an error."""
    begin, end = READ_ONLY[settings.DB]
    execute(begin)
    try:
        yield
    finally:
        execute(end)


@contextmanager
def locked():
    """
    Lock every row of the registry in another transaction. On SQLite, lock the file.
    """
    begin, end = IMPATIENT[settings.DB]
    execute(begin)
    other = connections["default"].copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            for table in (
                UserSession._meta.db_table,
                "session_limit_accountlimit",
                "django_session",
            ):
                if settings.DB == "sqlite":
                    cursor.execute(f"DELETE FROM {table} WHERE 1 = 0")  # noqa: S608
                else:
                    cursor.execute(f"SELECT 1 FROM {table} FOR UPDATE")  # noqa: S608
                    cursor.fetchall()
        began = monotonic()
        yield
        assert monotonic() - began < PATIENCE, "the request waited for the lock"
    finally:
        other.rollback()
        other.close()
        execute(end)


@pytest.fixture(params=[read_only, locked])
def fault(request):
    return request.param


@pytest.fixture(autouse=True)
def nothing_skipped(monkeypatch):
    for kind in (
        response_saving.FORGETTING,
        activity.ACTIVITY,
        activity.NOTICES,
        ending.ENDINGS,
    ):
        monkeypatch.setattr(kind, "_skipped", 0)


def test_activity_is_recorded_later(ada, laptop, time, fault):
    laptop.sign_in()
    before = laptop.row.last_active_at
    time.advance(TOUCH + 1)
    with fault():
        assert laptop.open().status_code == 200
        assert laptop.row.last_active_at == before
    assert laptop.open().status_code == 200
    assert laptop.row.last_active_at > before


@pytest.mark.parametrize("path", ["/account/sessions/", "/account/sessions/status/"])
def test_our_own_pages_are_answered(ada, laptop, time, fault, path):
    laptop.sign_in()
    time.advance(TOUCH + 1)
    with fault():
        assert laptop.get(path).status_code == 200


def test_a_notice_is_shown_later(ada, laptop, phone, settings, fault):
    settings.SESSION_LIMIT = 2
    laptop.sign_in()
    phone.sign_in()
    with fault():
        assert laptop.open().status_code == 200
        assert laptop.row.notice is not None
        assert "messages" not in laptop.client.cookies
    assert laptop.open().status_code == 200
    assert laptop.row.notice is None
    assert "messages" in laptop.client.cookies


def test_a_session_whose_time_is_up_says_why(ada, laptop, time, settings, fault):
    settings.SESSION_LIMIT_IDLE_TIMEOUT = 10 * MINUTE
    laptop.sign_in()
    time.advance(12 * MINUTE)
    with fault():
        assert laptop.state == Reason.IDLE
        assert laptop.name is None
        assert laptop.get("/account/sessions/status/").json()["reason"] == Reason.IDLE
        assert len(live(ada)) == 1
    assert laptop.state == Reason.IDLE
    assert reasons() == [Reason.IDLE]


def test_within_a_transaction_of_the_views(ada, time, settings, fault, monkeypatch):
    """The view loads the session, and its own statements still work afterwards."""
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    settings.SESSION_LIMIT_IDLE_TIMEOUT = 10 * MINUTE
    laptop = Visitor()
    laptop.sign_in()
    time.advance(12 * MINUTE)
    with fault():
        assert laptop.get("/facade/").json()["ended"] == Reason.IDLE
    assert laptop.state == Reason.IDLE
    assert reasons() == [Reason.IDLE]


def test_a_deleted_session_whose_time_is_up(ada, laptop, time, settings, fault):
    """The row is found by the digest of the cookie's key."""
    settings.SESSION_LIMIT_IDLE_TIMEOUT = 10 * MINUTE
    laptop.sign_in()
    stores.empty()
    time.advance(12 * MINUTE)
    with fault():
        assert laptop.state == Reason.IDLE
    assert laptop.state == Reason.IDLE
    assert reasons() == [Reason.IDLE]


def test_an_account_that_was_disabled(ada, laptop, fault):
    laptop.sign_in()
    type(ada).objects.update(is_active=False)
    with fault():
        assert laptop.state == Reason.ACCOUNT_DISABLED
        assert len(live(ada)) == 1
    assert laptop.state == Reason.ACCOUNT_DISABLED
    assert reasons() == [Reason.ACCOUNT_DISABLED]


def test_changed_credentials(ada, laptop, fault):
    """The session's hash is invalid, which needs no statement to find out."""
    laptop.sign_in()
    type(ada).objects.update(password="!")
    with fault():
        assert laptop.state == Reason.CREDENTIALS_CHANGED
        assert len(live(ada)) == 1
    assert laptop.state == Reason.CREDENTIALS_CHANGED
    assert reasons() == [Reason.CREDENTIALS_CHANGED]


# With other stores the session is saved, so that its browser is told only once.
@pytest.mark.skipif(
    settings.ENGINE.startswith("qsessions"), reason="has a table that is not locked"
)
@stores.ROLLED_BACK
def test_an_ending_that_an_anonymous_session_remembers(ada, laptop, phone, fault):
    laptop.sign_in()
    phone.sign_in()
    laptop.write()
    with fault():
        for _ in range(2):
            assert laptop.get(laptop.path("members"), headers=PAGE).status_code == 401
    assert laptop.get(laptop.path("members"), headers=PAGE).status_code == 401
    assert laptop.get(laptop.path("members"), headers=PAGE).status_code == 302


@pytest.mark.parametrize("error", [OperationalError, InterfaceError, InternalError])
def test_whatever_the_driver_raises(ada, laptop, time, error):
    """A broken connection is an ``InterfaceError``, which is no ``DatabaseError``."""
    laptop.sign_in()
    time.advance(TOUCH + 1)

    def fails(execute, sql, *args):
        if "UPDATE" in sql.upper().split():
            raise error
        return execute(sql, *args)

    with connection.execute_wrapper(fails):
        assert laptop.open().status_code == 200


def test_one_line_tells_of_failures_and_one_of_their_end(
    ada, laptop, time, caplog, settings
):
    laptop.sign_in()
    caplog.clear()
    with read_only():
        for _ in range(3):
            time.advance(TOUCH + 1)
            assert laptop.open().status_code == 200
    time.advance(TOUCH + 1)
    assert laptop.open().status_code == 200
    first, last = (
        record
        for record in caplog.records
        if record.name == "session_limit" and record.levelno == logging.WARNING
    )
    assert first.getMessage().startswith("Recording activity failed and was skipped: ")
    assert last.getMessage() == "Recording activity works again; 3 writes were skipped."


@pytest.mark.skipif(settings.DB == "sqlite", reason="SQLite locks the file")
def test_a_row_that_is_locked_is_no_fault(ada, laptop, time, caplog):
    laptop.sign_in()
    time.advance(TOUCH + 1)
    caplog.clear()
    with locked():
        assert laptop.open().status_code == 200
    assert not [each for each in caplog.records if each.levelno == logging.WARNING]


@pytest.mark.skipif(settings.DB != "postgresql", reason="MariaDB cannot skip in UPDATE")
def test_a_row_that_is_locked_is_left_out(ada, laptop, time, monkeypatch):
    """Fails, with an error in the server's log, if the statement waits for the row."""
    laptop.sign_in()
    time.advance(TOUCH + 1)
    monkeypatch.setattr(best_effort, "_is_locked", pytest.fail)
    with locked():
        assert laptop.open().status_code == 200


LOCK_TABLE = {
    "postgresql": (
        "BEGIN; LOCK TABLE session_limit_usersession IN EXCLUSIVE MODE",
        "ROLLBACK",
    ),
    "mariadb": ("LOCK TABLES session_limit_usersession READ", "UNLOCK TABLES"),
    "sqlite": ("BEGIN IMMEDIATE", "ROLLBACK"),
}


@pytest.mark.parametrize("binds_on_server", [False, True])
def test_a_table_that_is_locked(ada, laptop, time, settings, binds_on_server):
    """
    While an index is built or a backup runs, a table can only be read. Fails if a page
    waits.
    """
    begin, end = IMPATIENT[settings.DB]
    lock, unlock = LOCK_TABLE[settings.DB]
    laptop.sign_in()
    before = laptop.row.last_active_at
    time.advance(TOUCH + 1)
    execute(begin)
    options = connection.settings_dict["OPTIONS"]
    other = connections["default"].copy()
    try:
        with pytest.MonkeyPatch.context() as patch, other.cursor() as cursor:
            patch.setitem(options, "server_side_binding", binds_on_server)
            cursor.execute(lock)
            began = monotonic()
            assert laptop.open().status_code == 200
            assert monotonic() - began < PATIENCE / 2, "the request waited for the lock"
            assert laptop.row.last_active_at == before
            cursor.execute(unlock)
    finally:
        other.close()
        execute(end)
    assert laptop.open().status_code == 200
    assert laptop.row.last_active_at > before


def test_activity_takes_one_statement(ada, laptop, time):
    laptop.sign_in()
    with statements() as ordinary:
        laptop.open()
    time.advance(TOUCH + 1)
    with statements() as recording:
        laptop.open()
    assert len(recording) == len(ordinary) + 1
    assert len(writes(recording)) == 1


def test_a_failure_within_a_transaction_breaks_nothing(ada, laptop, time):
    laptop.sign_in()
    time.advance(TOUCH + 1)
    with read_only(), transaction.atomic():
        assert laptop.open().status_code == 200
        assert len(live(ada)) == 1


def test_a_write_that_fails_halfway_leaves_nothing_in_the_transaction(ada):
    def write():
        type(ada).objects.update(is_staff=True)
        raise OperationalError

    with transaction.atomic():
        assert ending.ENDINGS.attempt(write) is None
    ada.refresh_from_db()
    assert not ada.is_staff


def test_a_surrounding_transaction_that_was_rolled_back_is_not_continued(ada):
    """
    MySQL rolls back the whole transaction after a deadlock, as Galera does after a
    conflict.
    """

    def write():
        execute("ROLLBACK")
        raise OperationalError

    def view():
        with transaction.atomic():
            ada.is_staff = True
            ada.save()
            ending.ENDINGS.attempt(write)

    with pytest.raises(OperationalError):
        view()
    ada.refresh_from_db()
    assert not ada.is_staff


def waits():
    """Return how long statements on this connection wait for a lock."""
    asked = {
        "postgresql": "SELECT current_setting('lock_timeout')",
        "mariadb": "SELECT @@innodb_lock_wait_timeout, @@lock_wait_timeout",
        "sqlite": "PRAGMA busy_timeout",
    }
    with connection.cursor() as cursor:
        cursor.execute(asked[settings.DB])
        return cursor.fetchone()


@pytest.mark.parametrize("is_in_transaction", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_other_statements_wait_as_before(ada, laptop, is_in_transaction, fails):
    seen = []

    def write():
        seen.append(waits())
        if fails:
            raise DatabaseError

    usual = waits()
    with transaction.atomic() if is_in_transaction else nullcontext():
        ending.ENDINGS.attempt(write)
        assert waits() == usual
    assert waits() == usual
    if settings.DB != "mariadb":  # MariaDB sets it for each statement
        assert seen != [usual]
    assert seen


@pytest.mark.skipif(settings.DB != "mariadb", reason="stands in for MySQL")
@pytest.mark.parametrize("fails", [False, True])
def test_mysql_waits_a_second(ada, monkeypatch, fails):
    """MySQL has no ``SET STATEMENT``, so the connection's setting is changed."""
    seen = []

    def write():
        seen.append(waits())
        if fails:
            raise DatabaseError

    usual = waits()
    monkeypatch.setattr(connection, "mysql_is_mariadb", False)
    ending.ENDINGS.attempt(write)
    assert seen == [(1, 1)]
    assert waits() == usual


def test_a_failure_that_ends_the_transaction_around_it_is_raised(ada):
    """
    MySQL rolls back the whole transaction after a deadlock. Fails if that error is
    skipped: the earlier writes disappear, and no error says so.
    """

    def deadlock():
        connection.connection.rollback()
        raise OperationalError(1213, "Deadlock found")

    def work():
        with transaction.atomic():
            type(ada).objects.update(first_name="Ada")
            ending.ENDINGS.attempt(deadlock)

    with pytest.raises(OperationalError, match="Deadlock"):
        work()
    ada.refresh_from_db()
    assert ada.first_name != "Ada"
