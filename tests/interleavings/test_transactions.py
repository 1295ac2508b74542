"""Transactions of our own, and transactions that the caller manages."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext

import pytest
from django.contrib.auth import get_user_model, login
from django.db import connection, transaction
from django.test import Client, RequestFactory

from session_limit import registry, signals
from session_limit.models import Play, UserSession
from session_limit.registry.transactions import transactional
from session_limit.rules import exempt_sign_in
from tests import stores
from tests.interleavings.browsers import Tab, is_in, live, whose
from tests.interleavings.gates import on, plain

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.interleavings.urls"),
]


@contextmanager
def autocommit_off():
    transaction.set_autocommit(False)
    try:
        # This query begins the caller's transaction.
        get_user_model().objects.exists()
        yield
        transaction.commit()
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)


@pytest.fixture(params=["read committed", "repeatable read"])
def level(request):
    """Run the test at two isolation levels. SQLite has only one."""
    if request.param == "repeatable read" and connection.vendor != "sqlite":
        request.getfixturevalue("repeatable_read")


def change_password(user):
    user.set_password("new")
    user.save()


def disable(user):
    user.is_active = False
    user.save()


def sign_in(user):
    Client().force_login(user)


def lower_limit(user):
    registry.set_limit(user, 1)


def end_all(user):
    registry.end_all(user, UserSession.Reason.REVOKED)


def delete(user):
    user.delete()


@pytest.mark.parametrize(
    ("act", "left"),
    [
        (change_password, 2),
        (disable, 0),
        (sign_in, 2),
        (lower_limit, 1),
        (end_all, 0),
        (delete, 0),
    ],
)
def test_with_autocommit_off(ada, settings, level, act, left):
    """
    A management command may manage its own transaction. Fails, on PostgreSQL and
    MariaDB, if we take the transaction for our own and set its isolation level.
    """
    settings.SESSION_LIMIT = 2
    laptop, phone = Tab(), Tab()
    laptop.sign_in(ada)
    phone.sign_in(ada)
    with autocommit_off():
        act(ada)
    assert UserSession.objects.live().count() == left
    assert whose(laptop.key) is None


# With autocommit off, SQLite's driver commits before a savepoint, as Django documents.
@on("postgresql", "mariadb")
def test_rolled_back_by_its_caller(ada, level):
    """No session has ended, and no listener is called."""
    laptop = Tab()
    laptop.sign_in(ada)
    heard = []

    def hear(**kwargs):
        heard.append(kwargs)

    signals.session_ended.connect(hear)
    try:
        with autocommit_off():
            end_all(ada)
            transaction.rollback()
    finally:
        signals.session_ended.disconnect(hear)
    assert is_in(laptop, ada)


def test_stopping_a_play_with_autocommit_off(ada, settings):
    """Fails if listeners are registered outside a transaction, which Django refuses."""
    settings.SESSION_LIMIT_PLAYS = 1
    Tab().sign_in(ada)
    (session,) = live(ada)
    play = registry.play(session, "a film").play
    with autocommit_off():
        assert registry.stop_play(play.pk, session.pk)
    assert Play.objects.get().ended_reason == Play.Reason.STOPPED


# How long COMMIT waits on PostgreSQL


def durability(using=None):
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        return cursor.fetchone()[0]


@pytest.fixture
def servers_default():
    """Return a function that sets the database's own ``synchronous_commit``."""
    name = connection.ops.quote_name(connection.settings_dict["NAME"])

    def set_default(value):
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {name} SET synchronous_commit = {value}")
        connection.close()
        assert durability() == value

    yield set_default
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} RESET synchronous_commit")
    connection.close()


@pytest.fixture
def servers_level():
    """Return a function that sets the database's own isolation level."""
    name = connection.ops.quote_name(connection.settings_dict["NAME"])

    def set_level(value):
        setting = "default_transaction_isolation"
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {name} SET {setting} = '{value}'")
        connection.close()

    yield set_level
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} RESET default_transaction_isolation")
    connection.close()


@on("postgresql")
@pytest.mark.parametrize(
    ("default", "ours"),
    [
        ("off", "on"),
        ("local", "on"),
        ("remote_write", "on"),
        ("on", "on"),
        ("remote_apply", "remote_apply"),
    ],
)
def test_our_commits_are_durable(servers_default, default, ours):
    """
    Only our transaction is durable. The project's next commit uses the server's
    setting.
    """
    servers_default(default)
    assert transactional(durability)() == ours
    assert durability() == default


@on("postgresql")
@pytest.mark.parametrize("exempt", [False, True])
def test_sign_ins_are_durable(ada, servers_default, exempt):
    """
    Fails if the statement that locks the account leaves the setting as it is, or if a
    sign-in that locks no account does.
    """
    servers_default("off")
    request = RequestFactory().get("/")
    request.session = stores.engine()()
    seen = []
    with (
        connection.execute_wrapper(noting_durability(seen)),
        exempt_sign_in(request) if exempt else nullcontext(),
    ):
        login(request, ada)
    assert seen == ["on"]


def noting_durability(seen):
    """Return a wrapper that notes the durability with which a session is recorded."""

    def note(execute, sql, params, many, context):
        if plain(sql).startswith("INSERT INTO session_limit_usersession"):
            execute("SHOW synchronous_commit", None, False, context)
            seen.append(context["cursor"].fetchone()[0])
        return execute(sql, params, many, context)

    return note


@on("postgresql")
def test_a_project_that_sets_it_in_its_options(options):
    options(options="-c synchronous_commit=off")
    assert transactional(durability)() == "off"


@on("postgresql")
def test_a_transaction_of_the_projects_own(servers_default):
    """
    A project's transaction keeps its setting: we must not slow down its other writes.
    """
    servers_default("off")
    with transaction.atomic():
        assert transactional(durability)() == "off"


@on("postgresql")
@pytest.mark.parametrize("binding", [False, True])
def test_it_takes_one_round_trip(options, binding):
    """
    Durability and isolation are set in one statement, even with psycopg's server-side
    parameters.
    """
    options(server_side_binding=binding, prepare_threshold=1)
    ran = []

    def record(execute, sql, params, many, context):
        ran.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(record):
        for _ in range(5):
            transactional(lambda using: None)()
    assert len(ran) == 5


@on("postgresql")
def test_a_sign_in_with_parameters_that_the_server_binds(ada, options):
    """Fails if the statements of a sign-in need psycopg's client-side parameters."""
    options(server_side_binding=True, prepare_threshold=1)
    tabs = [Tab() for _ in range(4)]
    for tab in tabs:
        assert tab.sign_in(ada).status_code == 302
    assert is_in(tabs[-1], ada)
    assert len(live(ada)) == 1


# The isolation level on PostgreSQL


def isolation(using=None):
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")
        return cursor.fetchone()[0]


def fail(using):
    raise LookupError


@on("postgresql")
@pytest.mark.parametrize("is_named", [False, True], ids=["servers", "options"])
def test_only_our_transactions_are_read_committed(options, servers_level, is_named):
    """
    The level of the database or of ``OPTIONS`` applies to the project's transactions,
    before and after ours, and after one of ours that fails.
    """
    if is_named:
        levels = type(connection.isolation_level)
        options(isolation_level=levels.REPEATABLE_READ)
    else:
        servers_level("repeatable read")
    for _ in range(2):
        with transaction.atomic():
            assert isolation() == "repeatable read"
            assert transactional(isolation)() == "repeatable read"
        assert transactional(isolation)() == "read committed"
        with pytest.raises(LookupError):
            transactional(fail)()
