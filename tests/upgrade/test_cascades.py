"""The database deletes a deleted user's rows, even without this package."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from session_limit.models import AccountLimit, PendingSignIn, UserSession
from tests.interleavings.gates import on

MODELS = (UserSession, AccountLimit, PendingSignIn)
cascades = import_module("session_limit.migrations.0008_cascades")

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        settings.ENGINE != "db", reason="has nothing to do with engines"
    ),
]


@pytest.fixture
def ada():
    """A user who is signed in, has a limit and a pending sign-in."""
    ada = get_user_model().objects.create_user(username="ada", password="pw")
    later = timezone.now() + timedelta(days=1)
    UserSession.objects.create(user=ada, expires_at=later)
    AccountLimit.objects.create(user=ada, limit=2)
    PendingSignIn.objects.create(user=ada, expires_at=later)
    return ada


def delete_without_the_package(user):
    """Delete a user as Django does if it does not know our tables."""
    meta, quote = type(user)._meta, connection.ops.quote_name
    with transaction.atomic(), connection.cursor() as cursor:
        pk = meta.pk.get_db_prep_value(user.pk, connection)
        table, column = quote(meta.db_table), quote(meta.pk.column)
        cursor.execute(f"DELETE FROM {table} WHERE {column} = %s", [pk])  # noqa: S608


def left():
    return [model for model in MODELS if model.objects.exists()]


def test_a_user_who_had_signed_in_can_be_deleted(ada):
    delete_without_the_package(ada)
    assert left() == []


def migrate(name):
    call_command("migrate", "session_limit", name, verbosity=0)


@pytest.fixture
def back_and_forth():
    """Migrate back before the test, and forward afterwards."""
    migrate("0007")
    yield
    migrate("0008")


def test_back_and_forth_again(ada, back_and_forth):
    rows = [list(model.objects.values()) for model in MODELS]
    with pytest.raises(IntegrityError):
        delete_without_the_package(ada)
    migrate("0008")
    assert [list(model.objects.values()) for model in MODELS] == rows
    delete_without_the_package(ada)
    assert left() == []


def names():
    """Return the names of the foreign keys, with whether they cascade."""
    found = {}
    query = cascades.POSTGRESQL if settings.DB == "postgresql" else cascades.MYSQL
    with connection.cursor() as cursor:
        for model in MODELS:
            cursor.execute(query, [model._meta.db_table, "user_id"])
            found |= dict(cursor.fetchall())
    return found


@on("postgresql", "mariadb")
def test_there_is_one_foreign_key_and_its_name_comes_back(back_and_forth):
    before = names()
    assert len(before) == 3
    assert not any(before.values())
    migrate("0008")
    assert len(names()) == 3
    assert all(names().values())
    migrate("0007")
    assert names() == before


@on("postgresql")
def test_foreign_keys_are_validated():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_constraint WHERE contype = 'f'"
            " AND NOT convalidated"
        )
        assert cursor.fetchone() == (0,)


def run_again():
    with connection.schema_editor(atomic=False) as editor:
        cascades.add_cascades(apps, editor)


def test_a_migration_that_was_interrupted_can_be_run_again(ada):
    run_again()
    delete_without_the_package(ada)
    assert left() == []


@on("postgresql", "mariadb")
def test_one_that_was_interrupted_between_two_statements(ada, back_and_forth):
    """Both foreign keys are there, and the new one is not valid yet."""
    references = connection.ops.quote_name(get_user_model()._meta.db_table)
    column = connection.ops.quote_name(get_user_model()._meta.pk.column)
    sql = (
        "ALTER TABLE session_limit_usersession ADD CONSTRAINT half_done"
        f" FOREIGN KEY (user_id) REFERENCES {references} ({column}) ON DELETE CASCADE"
    )
    if settings.DB == "postgresql":
        sql += " DEFERRABLE INITIALLY DEFERRED NOT VALID"
    with connection.cursor() as cursor:
        cursor.execute(sql)
    try:
        run_again()
        assert names()["half_done"]
        assert all(names().values())
        delete_without_the_package(ada)
        if settings.DB == "postgresql":
            test_foreign_keys_are_validated()
    finally:
        with connection.schema_editor(atomic=False) as editor:
            cascades.remove_cascades(apps, editor)


@on("postgresql", "mariadb")
def test_a_foreign_key_that_somebody_has_removed_stays_removed(back_and_forth):
    (name,) = [name for name in names() if "pending" in name]
    drop = "FOREIGN KEY" if settings.DB == "mariadb" else "CONSTRAINT"
    quoted = connection.ops.quote_name(name)
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE session_limit_pendingsignin DROP {drop} {quoted}")
    run_again()
    assert len(names()) == 2
    with connection.schema_editor(atomic=False) as editor:
        field = PendingSignIn._meta.get_field("user")
        editor.execute(
            editor._create_fk_sql(
                PendingSignIn, field, "_fk_%(to_table)s_%(to_column)s"
            )
        )


def test_the_state_of_the_models_is_unchanged():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_indexes_and_constraints_stay():
    """SQLite creates the tables anew."""
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(
            cursor, "session_limit_usersession"
        )
    expected = {index.name for index in UserSession._meta.indexes}
    expected |= {each.name for each in UserSession._meta.constraints}
    assert expected <= found.keys()
