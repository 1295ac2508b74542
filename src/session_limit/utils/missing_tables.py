"""Explain errors of the database that show that migrations were not applied."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import DatabaseError

from session_limit.utils import django_tenants

T = TypeVar("T")
P = ParamSpec("P")

# PostgreSQL's SQLSTATEs for a table and for a column that does not exist.
_SQLSTATES = frozenset({"42P01", "42703"})
# The error numbers of MySQL and MariaDB for the same.
_ERROR_NUMBERS = frozenset({1146, 1054})
_SQLITE_MESSAGES = ("no such table", "no such column", "table session_limit_")

NOTE = (
    "A table or a column is missing in the database. Apply the migrations of "
    'session_limit before its code runs: "manage.py migrate".'
)

TENANTS_NOTE = (
    "With django-tenants, each schema has tables of its own. Run a command in the "
    'schema of a tenant: "manage.py tenant_command" or "manage.py all_tenants_command".'
)


def is_missing_table(error: DatabaseError) -> bool:
    """Return whether ``error`` says that a table or a column does not exist."""
    cause = error.__cause__
    said = error.args[0] if error.args else None
    state = getattr(cause, "sqlstate", getattr(cause, "pgcode", None))
    return (
        state in _SQLSTATES
        or said in _ERROR_NUMBERS
        or (isinstance(said, str) and said.startswith(_SQLITE_MESSAGES))
    )


def explains_missing_tables(function: Callable[P, T]) -> Callable[P, T]:
    """
    Decorate a function so that an error about a missing table names its cause.

    The error propagates, so that no session is taken for live. It gets a note that says
    how to apply the migrations and, with django-tenants, how to run commands.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except DatabaseError as error:
            if is_missing_table(error) and NOTE not in getattr(error, "__notes__", ()):
                error.add_note(NOTE)
                if django_tenants.is_installed():
                    error.add_note(TENANTS_NOTE)
            raise

    return call
