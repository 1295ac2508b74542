"""
Databases in which the tables of sessions and of this package compare text differently.

A table keeps the character set and the collation that its database had when the table
was created. A server upgrade, or a move to another host, changes the database's.
"""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import checks as django_checks
from django.db import connection

from session_limit import checks
from session_limit.models import Play, UserSession
from session_limit.store import queries
from tests.interleavings.browsers import Tab, is_in
from tests.interleavings.gates import on
from tests.stores import engine

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.interleavings.urls"),
    pytest.mark.skipif(settings.ENGINE != "db", reason="one statement reads the two"),
]


def execute(*statements):
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def altered(table, column, type_, collation):
    """Give ``column`` of ``table`` another ``type_`` with another ``collation``."""
    null = "NULL" if table == UserSession._meta.db_table else "NOT NULL"
    if connection.vendor == "postgresql":
        change = f"ALTER TABLE {table} ALTER {column} TYPE"
        back = f'{change} {type_} COLLATE "default"'
        execute(f'{change} {type_} COLLATE "{collation}"')
    else:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT character_set_name, collation_name"
                " FROM information_schema.columns WHERE table_schema = DATABASE()"
                " AND table_name = %s AND column_name = %s",
                [table, column],
            )
            before = " COLLATE ".join(cursor.fetchone())
        change = f"ALTER TABLE {table} MODIFY {column}"
        charset = collation.partition("_")[0]
        execute(f"{change} {type_} CHARACTER SET {charset} COLLATE {collation} {null}")
        back = f"{change} {type_} CHARACTER SET {before} {null}"
    try:
        yield
    finally:
        execute(back)


def works():
    """Return whether somebody can sign in, stay signed in and be displaced."""
    ada = get_user_model().objects.create_user(username="ada", password="pw")
    laptop, phone = Tab(), Tab()
    laptop.sign_in(ada)
    assert is_in(laptop, ada)
    phone.sign_in(ada)
    assert is_in(phone, ada)
    assert not is_in(laptop, ada)
    return True


@on("mariadb")
@pytest.mark.parametrize(
    "sessions",
    [
        "utf8mb4_unicode_ci",
        "utf8mb4_bin",
        "utf8mb3_general_ci",
        "utf8mb3_unicode_ci",
        "latin1_swedish_ci",
        "latin1_bin",
        "ascii_general_ci",
    ],
)
@pytest.mark.parametrize("registry", ["utf8mb4_general_ci", "utf8mb4_swedish_ci"])
def test_tables_with_different_collations(sessions, registry):
    table = UserSession._meta.db_table
    with (
        altered("django_session", "session_key", "varchar(40)", sessions),
        altered(table, "session_key", "varchar(40)", registry),
    ):
        assert works()


@on("postgresql")
@pytest.mark.parametrize(
    ("sessions", "registry"), [("C", "und-x-icu"), ("en-x-icu", "C")]
)
def test_columns_with_different_collations(sessions, registry):
    table = UserSession._meta.db_table
    with (
        altered("django_session", "session_key", "varchar(40)", sessions),
        altered(table, "session_key", "varchar(40)", registry),
    ):
        assert works()


@on("postgresql", "mariadb")
def test_both_indexes_are_used_however_large_the_tables():
    model = engine().get_model_class()
    statement = queries._beside_stored("default", model, None)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # The planner would read tables as small as these as a whole.
            cursor.execute("SET enable_seqscan = off")
        now = "2000-01-01 00:00:00"
        cursor.execute(f"EXPLAIN {statement}", ["k" * 32, "k" * 32, now])
        plan = str(cursor.fetchall())
        if connection.vendor == "postgresql":
            cursor.execute("RESET enable_seqscan")
            assert plan.count("Index Scan") == 2
    assert "Seq Scan" not in plan
    assert "ALL" not in plan


def found():
    """Return the messages of the check that asks the server."""
    messages = checks.databases.check_servers(databases=["default"])
    return [each for each in messages if each.id == "session_limit.W309"]


def test_tables_as_migrate_creates_them_can_be_compared():
    assert found() == []


@on("mariadb")
@pytest.mark.parametrize("collation", ["utf8mb4_unicode_ci", "utf8mb4_swedish_ci"])
def test_tables_that_cannot_be_compared_are_named(collation, monkeypatch):
    """Before MariaDB 10.7 and on MySQL, ids are text. Plays have no constraint."""
    target = UserSession._meta.pk
    own = Play._meta.get_field("session")
    monkeypatch.setattr(own, "column", "what")
    monkeypatch.setattr(target, "column", "device")
    table = Play._meta.db_table
    with altered(table, "what", "varchar(200)", collation):
        (message,) = found()
    assert isinstance(message, django_checks.Warning)
    assert f'"what" of the table "{table}"' in message.msg
    assert collation in message.msg
    assert f"ALTER TABLE {table} CONVERT" in message.hint


@on("mariadb")
def test_a_binary_collation_can_be_compared_with_any_other(monkeypatch):
    monkeypatch.setattr(Play._meta.get_field("session"), "column", "what")
    monkeypatch.setattr(UserSession._meta.pk, "column", "device")
    with altered(Play._meta.db_table, "what", "varchar(200)", "utf8mb4_bin"):
        assert found() == []


@on("mariadb")
def test_the_check_before_the_first_migrate_finds_no_tables(monkeypatch):
    monkeypatch.setattr(Play._meta, "db_table", "not_migrated_yet")
    assert found() == []
