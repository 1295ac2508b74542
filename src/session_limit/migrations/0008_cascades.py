"""
Let the database delete the rows of a deleted user, and write the user of an account's
row into fixtures.

While the package is installed, Django deletes the rows. If the package was removed and
its tables were not, Django does not know the tables, and their foreign keys would
prevent the deletion of a user. Plays have no constraint, and their rows stay.

On SQLite, a later migration that changes one of these tables must do this again,
because Django then creates the table anew.
"""

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models, router, transaction
from django.db.migrations.state import StateApps

CASCADE = " ON DELETE CASCADE"

# Each query finds the foreign keys of one column: the name of the constraint, and
# whether the database deletes the row with the row that it refers to.
POSTGRESQL = """
    SELECT c.conname, c.confdeltype = 'c'
    FROM pg_constraint c
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
    WHERE c.contype = 'f' AND c.conrelid = %s::regclass AND a.attname = %s
"""
MYSQL = """
    SELECT k.constraint_name, r.delete_rule = 'CASCADE'
    FROM information_schema.key_column_usage k
    JOIN information_schema.referential_constraints r
      ON r.constraint_schema = k.constraint_schema
     AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name
    WHERE k.table_schema = DATABASE() AND k.table_name = %s AND k.column_name = %s
"""


def add_cascades(apps: StateApps, schema_editor: Any) -> None:
    _replace_all(apps, schema_editor, cascades=True)


def remove_cascades(apps: StateApps, schema_editor: Any) -> None:
    _replace_all(apps, schema_editor, cascades=False)


def _replace_all(apps: StateApps, schema_editor: Any, *, cascades: bool) -> None:
    connection = schema_editor.connection
    replace = {"postgresql": _alter, "mysql": _alter, "sqlite": _remake}
    for name in ("UserSession", "AccountLimit", "PendingSignIn"):
        model = apps.get_model("session_limit", name)
        is_here = router.allow_migrate_model(connection.alias, model)
        if is_here and connection.vendor in replace:
            replace[connection.vendor](schema_editor, model, cascades=cascades)


def _alter(schema_editor: Any, model: Any, *, cascades: bool) -> None:
    """Add a foreign key to users with or without a cascade, and drop the others."""
    connection, field = schema_editor.connection, model._meta.get_field("user")
    is_postgresql = connection.vendor == "postgresql"
    table = schema_editor.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        if is_postgresql:
            cursor.execute(POSTGRESQL, [table, field.column])
        else:
            cursor.execute(MYSQL, [model._meta.db_table, field.column])
        found = dict(cursor.fetchall())
    if not found:
        # The database has no foreign keys, or somebody has removed this one.
        return
    wanted = [name for name, has_cascade in found.items() if has_cascade == cascades]
    if not wanted:
        suffix = "_cascade" if cascades else "_fk_%(to_table)s_%(to_column)s"
        added = schema_editor._create_fk_sql(model, field, suffix)  # noqa: SLF001 as AddField does
        wanted = [str(added.parts["name"])]
        if cascades:
            added.parts["deferrable"] = CASCADE + added.parts["deferrable"]
        # The rows need no check, because they satisfy the foreign key that there is.
        # MySQL would copy the table, and PostgreSQL would lock it while it reads it.
        with connection.constraint_checks_disabled():
            schema_editor.execute(f"{added}{' NOT VALID' if is_postgresql else ''}")
    if is_postgresql:
        for name in wanted:
            quoted = schema_editor.quote_name(name.strip('"'))
            schema_editor.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {quoted}")
    for name, has_cascade in found.items():
        if has_cascade != cascades:
            dropped = schema_editor._delete_fk_sql(model, name)  # noqa: SLF001 the same
            schema_editor.execute(dropped)


def _remake(schema_editor: Any, model: Any, *, cascades: bool) -> None:
    """Create the table anew, because SQLite cannot change a foreign key."""
    with schema_editor.connection.cursor() as cursor:
        table = schema_editor.quote_name(model._meta.db_table)
        cursor.execute(f"PRAGMA foreign_key_list({table})")
        found = [row[6] == "CASCADE" for row in cursor.fetchall()]
    if not found or all(has_cascade == cascades for has_cascade in found):
        return
    plain = type(schema_editor).sql_create_inline_fk
    if cascades:
        sql = plain.replace(" DEFERRABLE", f"{CASCADE} DEFERRABLE")
        schema_editor.sql_create_inline_fk = sql
    try:
        with transaction.atomic(using=schema_editor.connection.alias):
            schema_editor._remake_table(model)  # noqa: SLF001 as AlterField does
    finally:
        schema_editor.sql_create_inline_fk = plain


class Migration(migrations.Migration):
    # Each statement commits, so that no table stays locked until the last one.
    atomic = False

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("session_limit", "0007_times_in_utc"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="accountlimit",
                    name="user",
                    field=models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
        ),
        migrations.RunPython(add_cascades, remove_cascades),
    ]
