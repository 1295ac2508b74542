"""
Run code in threads that stop at a chosen step, so that a test decides the order.

A step is a database statement or, with session engines that execute none, a call of the
engine. Each thread has its own database connections. No wait is unlimited: a test fails
if something does not happen within ``PATIENCE`` seconds.
"""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from inspect import iscoroutinefunction

import pytest
from django.conf import settings
from django.contrib.sessions.backends import db
from django.db import OperationalError, connection, connections

from tests import stores

PATIENCE = 20

# The steps on a stored session begin with these: statements, or names of methods.
LOAD = "SELECT s.session_data" if settings.ENGINE == "db" else "load"
CREATE, SAVE, DELETE = "create", "save", "delete"
if issubclass(stores.engine(), db.SessionStore):
    STORED = stores.engine().get_model_class()._meta.db_table
    CREATE = f"INSERT INTO {STORED}"
    SAVE = f"UPDATE {STORED}"
    DELETE = f"DELETE FROM {STORED}"  # noqa: S608  compared with what is executed

# asgiref copies this variable to the threads that it uses.
stop_here = ContextVar("stop_here", default=None)


def plain(sql):
    """
    Return ``sql`` without the quotes around names, which differ between databases.
    """
    return sql.replace('"', "").replace("`", "")


def is_step(sql, step):
    """
    Return whether the statement ``sql`` begins with ``step``.

    On PostgreSQL, a sign-in executes several statements in one, which begins with WITH.
    """
    return sql.startswith(step) or (sql.startswith("WITH ") and step in sql)


def on(*databases):
    """
    Return a mark that skips a test unless the suite runs on one of these databases.
    """
    needed = " or ".join(databases)
    return pytest.mark.skipif(
        settings.DB not in databases, reason=f"needs SESSION_LIMIT_TEST_DB={needed}"
    )


ROW_LOCKS = on("postgresql", "mariadb")


class Stop:
    """
    A point at which a thread stops until the test opens it.

    The thread stops before the first step that begins with ``statement``, or right
    ``after`` it.
    """

    def __init__(self, statement, *, after=False):
        self.statement = statement
        self.after = after
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self, execute, sql, params, many, context):
        with self.at(plain(sql)):
            return execute(sql, params, many, context)

    @contextmanager
    def at(self, statement):
        is_here = not self.reached.is_set() and is_step(statement, self.statement)
        if is_here and not self.after:
            self.stand()
        yield
        if is_here and self.after:
            self.stand()

    def stand(self):
        self.reached.set()
        if not self.opened.wait(PATIENCE):
            raise TimeoutError(f"The test never opened the stop at: {self.statement}")


def stops_at(patch, owner, name, step=None):
    """
    Make the method ``name`` of ``owner`` a step at which threads can stop.

    ``step`` takes the arguments of a call and returns the step's name, which is
    ``name`` by default.
    """
    method = getattr(owner, name)
    step = step or (lambda *args, **kwargs: name)

    if iscoroutinefunction(method):

        @functools.wraps(method)
        async def stops(*args, **kwargs):
            with arrived(step(*args, **kwargs)):
                return await method(*args, **kwargs)
    else:

        @functools.wraps(method)
        def stops(*args, **kwargs):
            with arrived(step(*args, **kwargs)):
                return method(*args, **kwargs)

    patch.setattr(owner, name, stops)


def make_stops(patch):
    """Make the methods of the session engine steps at which threads can stop."""

    def save(self, must_create=False):
        return "create" if must_create else "save"

    engine = stores.engine()
    for prefix in ("", "a"):
        stops_at(patch, engine, f"{prefix}load", lambda self: "load")
        stops_at(patch, engine, f"{prefix}save", save)
        stops_at(patch, engine, f"{prefix}delete", lambda self, key=None: "delete")


class HeldInLoop:
    """A point at which a coroutine stops while its event loop serves other tasks."""

    def __init__(self):
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()


def aside_in_loop(patch, owner, name):
    """
    Make the next call of the coroutine function ``name`` of ``owner`` stop and wait.
    """
    held, method = HeldInLoop(), getattr(owner, name)

    @functools.wraps(method)
    async def waits(*args, **kwargs):
        if not held.reached.is_set():
            held.reached.set()
            await asyncio.wait_for(held.opened.wait(), PATIENCE)
        return await method(*args, **kwargs)

    patch.setattr(owner, name, waits)
    return held


@contextmanager
def arrived(step):
    stop = stop_here.get()
    if stop is None:
        yield
        return
    with stop.at(step):
        yield


class GivesUp:
    """
    Fail a statement as if the database had given up on its transaction.

    Fails the first ``times`` executions with ``error``, which is a deadlock by default.
    """

    def __init__(self, statement, times=1, error=None):
        self.statement = statement
        self.left = times
        self.error = error or deadlock()

    def __call__(self, execute, sql, params, many, context):
        if self.left and is_step(plain(sql), self.statement):
            self.left -= 1
            raise self.error
        return execute(sql, params, many, context)


def deadlock():
    """Return the error that Django raises for a deadlock on MySQL."""
    error = OperationalError(1213, "Deadlock found")
    error.__cause__ = Exception(1213, "Deadlock found")
    return error


@contextmanager
def gives_up_at_commit(times=1):
    """
    Fail the next commits, as a Galera node or PostgreSQL at SERIALIZABLE does.

    Fails the test if fewer than ``times`` commits are attempted.
    """
    left = [deadlock() for _ in range(times)]
    commit = connection._commit

    def _commit():
        if left:
            raise left.pop()
        commit()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "_commit", _commit)
        yield
    assert not left, "Nothing was committed."


class Aside:
    """Run ``function`` in a thread that stops at ``stop``, if one is given."""

    def __init__(self, function, stop):
        self.function = function
        self.stop = stop
        self.statements = []
        self.answer = self.error = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            with connection.execute_wrapper(self._record), ExitStack() as stack:
                if self.stop is not None:
                    for each in connections.all():
                        stack.enter_context(each.execute_wrapper(self.stop))
                    stop_here.set(self.stop)
                self.answer = self.function()
        except BaseException as error:
            self.error = error
        finally:
            connections.close_all()

    def _record(self, execute, sql, params, many, context):
        self.statements.append(plain(sql))
        return execute(sql, params, many, context)

    def wait(self):
        """Wait until the thread has reached its stop."""
        deadline = time.monotonic() + PATIENCE
        while not self.stop.reached.wait(0.05):
            if not self.thread.is_alive():
                if self.error is not None:
                    raise self.error
                pytest.fail(f"Did not stop at {self.stop.statement}: {self.statements}")
            if time.monotonic() > deadline:
                pytest.fail(f"Never reached {self.stop.statement}: {self.statements}")

    def go_on(self):
        if self.stop is not None:
            self.stop.opened.set()

    def result(self):
        """Open the stop, and return what ``function`` returned, or raise its error."""
        self.go_on()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive(), f"The thread hangs: {self.statements}"
        if self.error is not None:
            raise self.error
        return self.answer

    def count(self, statement):
        """Return how many executed statements begin with ``statement``."""
        return sum(is_step(each, statement) for each in self.statements)


@contextmanager
def aside(function, *, before=None, after=None):
    """
    Run ``function`` in a thread that stops ``before`` or ``after`` a statement.

    Yields the thread once it has reached its stop. On exit, opens the stop and waits
    until the thread has ended.
    """
    stop = None
    if before or after:
        stop = Stop(before or after, after=after is not None)
    thread = Aside(function, stop)
    try:
        if stop is not None:
            thread.wait()
        yield thread
    finally:
        thread.go_on()
        thread.thread.join(PATIENCE)
        assert not thread.thread.is_alive(), f"The thread hangs: {thread.statements}"


def at_once(functions, *, before=None, after=None):
    """
    Run ``functions`` in parallel threads, and return a list of what they returned.

    The threads stop ``before`` or ``after`` a statement, and continue together once all
    of them have reached it.
    """
    with ExitStack() as stack:
        threads = [
            stack.enter_context(aside(function, before=before, after=after))
            for function in functions
        ]
        for thread in threads:
            thread.go_on()
        return [thread.result() for thread in threads]


WAITING = {
    "postgresql": (
        "SELECT COUNT(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    ),
    "mariadb": (
        "SELECT COUNT(*) FROM information_schema.innodb_trx t"
        " JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id"
        " WHERE p.db = DATABASE() AND t.trx_state = 'LOCK WAIT'"
    ),
}


def until_blocked(count=1):
    """
    Wait until ``count`` connections wait for a lock. Works where ``ROW_LOCKS`` applies.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(WAITING[settings.DB])
            if cursor.fetchone()[0] >= count:
                return
        time.sleep(0.15)  # InnoDB serves more frequent queries from a cache
    pytest.fail(f"{count} connections never waited for a lock.")
