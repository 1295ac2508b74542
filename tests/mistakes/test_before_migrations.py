"""Code that is deployed before its migrations are applied."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from django.db import DatabaseError, OperationalError, ProgrammingError, connection

from session_limit.models import UserSession
from session_limit.store import queries
from session_limit.testing import LAPTOP
from session_limit.utils.missing_tables import NOTE, is_missing_table
from tests.stories.people import Visitor, make_user


@contextmanager
def without_table(column=None):
    """Rename the table or one of its columns, as before the migrations."""
    table = connection.ops.quote_name(UserSession._meta.db_table)
    change = "RENAME TO hidden"
    if column:
        change = f"RENAME COLUMN {column} TO hidden"
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} {change}")
    try:
        yield
    finally:
        if column:
            undo = f"ALTER TABLE {table} RENAME COLUMN hidden TO {column}"
        else:
            undo = (
                f"ALTER TABLE {connection.ops.quote_name('hidden')} RENAME TO {table}"
            )
        with connection.cursor() as cursor:
            cursor.execute(undo)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("column", [None, "notice"])
def test_a_page_and_a_sign_in_before_the_migrations(column):
    make_user("ada")
    visitor = Visitor(LAPTOP)
    visitor.sign_in()
    assert visitor.get("/whoami/").json()["user"] == "ada"
    with without_table(column):
        for ask in (lambda: visitor.get("/whoami/"), Visitor(LAPTOP).sign_in):
            with pytest.raises(DatabaseError) as raised:
                ask()
            assert raised.value.__notes__ == [NOTE]
            assert "manage.py migrate" in NOTE
        # A page that reads no session works.
        assert Visitor(LAPTOP).get("/public/").status_code == 200
    assert visitor.get("/whoami/").json()["user"] == "ada"


def error(kind, *args, **cause):
    found = kind(*args)
    found.__cause__ = type("Cause", (Exception,), cause)()
    return found


@pytest.mark.parametrize(
    ("raised", "is_about_tables"),
    [
        (OperationalError("no such table: session_limit_usersession"), True),
        (OperationalError("no such column: r.notice"), True),
        (OperationalError("table session_limit_play has no column named store"), True),
        (error(ProgrammingError, "...", sqlstate="42P01"), True),
        (error(ProgrammingError, "...", sqlstate="42703"), True),
        (error(ProgrammingError, "...", pgcode="42P01"), True),
        (ProgrammingError(1146, "Table 'a.b' doesn't exist"), True),
        (OperationalError(1054, "Unknown column"), True),
        (OperationalError("database is locked"), False),
        (OperationalError(1213, "Deadlock"), False),
        (error(ProgrammingError, "...", sqlstate="42601"), False),
        (OperationalError(), False),
    ],
)
def test_errors_about_tables(raised, is_about_tables):
    assert is_missing_table(raised) is is_about_tables

    @queries.explains_missing_tables
    def fail():
        raise raised

    for _ in range(2):
        with pytest.raises(type(raised)):
            fail()
    assert getattr(raised, "__notes__", []) == [NOTE] * is_about_tables
