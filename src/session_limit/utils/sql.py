"""
Build SQL statements from a model's fields, for code that runs at each sign-in.

Django's ORM takes longer to compile such a statement than the database takes to run it.
Names of tables and columns come from the models, and all values are parameters.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

from django.db import connections, models
from django.db.models.expressions import Expression

M = TypeVar("M", bound=models.Model)

Model: TypeAlias = type[models.Model]
Converter = Callable[[Any, Any, Any], Any]


class Statement(NamedTuple):
    """An SQL statement and the values of its parameters."""

    text: str
    values: Sequence[Any]


def table(model: Model, using: str) -> str:
    """Return the quoted name of the table of ``model``."""
    return connections[using].ops.quote_name(model._meta.db_table)


def columns(model: Model, names: Sequence[str], using: str) -> list[str]:
    """Return the quoted names of the columns of the fields with these ``names``."""
    quote = connections[using].ops.quote_name
    return [quote(cast("str", field(model, name).column)) for name in names]


def qualified(
    model: Model, names: Sequence[str], using: str, alias: str | None = None
) -> list[str]:
    """Return these columns with the name or the ``alias`` of their table."""
    # SQLite takes a quoted name without a table for a string if there is no such
    # column, for example before the migrations.
    owner = alias or table(model, using)
    return [f"{owner}.{each}" for each in columns(model, names, using)]


def prepared(model: Model, values: Mapping[str, Any], using: str) -> list[Any]:
    """Return the ``values`` of fields as the database stores them."""
    connection, fields = connections[using], _fields(model, tuple(values))
    return [
        None if value is None else field.get_db_prep_save(value, connection)
        for field, value in zip(fields, values.values(), strict=True)
    ]


def placeholders(count: int) -> str:
    return ", ".join(["%s"] * count)


def insert(row: models.Model, using: str, computed: str) -> Statement:
    """
    Return the statement that adds ``row`` to its table.

    The value of the field ``computed`` is an expression that the database computes. The
    expression has no parameters.
    """
    model = type(row)
    given = {
        name: value
        for name in _attributes(model)
        # Columns without a value are NULL.
        if name != computed and (value := getattr(row, name)) is not None
    }
    text = _insert(model, tuple(given), computed, getattr(row, computed), using)
    return Statement(text, prepared(model, given, using))


@functools.cache
def _insert(
    model: Model,
    given: tuple[str, ...],
    computed: str,
    expression: Expression,
    using: str,
) -> str:
    compiler = model._base_manager.using(using).query.get_compiler(using)
    listed = ", ".join(columns(model, [*given, computed], using))
    values = f"{placeholders(len(given))}, {compiler.compile(expression)[0]}"
    return f"INSERT INTO {table(model, using)} ({listed}) VALUES ({values})"  # noqa: S608


def update(
    rows: Sequence[models.Model], changes: Mapping[str, Any], using: str
) -> Statement:
    """Return the statement that makes the ``changes`` to ``rows``, if there are any."""
    model = type(rows[0])
    text = _update(model, tuple(changes), len(rows), using)
    ids = [model._meta.pk.get_db_prep_save(row.pk, connections[using]) for row in rows]
    return Statement(text, [*prepared(model, changes, using), *ids])


@functools.lru_cache
def _update(model: Model, names: tuple[str, ...], count: int, using: str) -> str:
    changes = ", ".join(f"{column} = %s" for column in columns(model, names, using))
    [pk] = qualified(model, [model._meta.pk.name], using)
    chosen = f"{pk} IN ({placeholders(count)})"
    return f"UPDATE {table(model, using)} SET {changes} WHERE {chosen}"  # noqa: S608


def delete(model: Model, name: str, keys: Sequence[Any], using: str) -> Statement:
    """Return the statement that deletes rows by the ``keys`` in the field ``name``."""
    [column] = qualified(model, [name], using)
    chosen = f"{column} IN ({placeholders(len(keys))})"
    text = f"DELETE FROM {table(model, using)} WHERE {chosen}"  # noqa: S608
    return Statement(text, keys)


def execute(using: str, *statements: Statement) -> None:
    """
    Execute the ``statements``, which must not concern the same rows.

    PostgreSQL executes all of them in one round trip.
    """
    if len(statements) > 1 and connections[using].vendor == "postgresql":
        *others, last = statements
        parts = [f"s{n} AS ({each.text})" for n, each in enumerate(others)]
        values = [value for each in statements for value in each.values]
        statements = (Statement(f"WITH {', '.join(parts)} {last.text}", values),)
    for each in statements:
        with connections[using].cursor() as cursor:
            cursor.execute(each.text, each.values)


def fetch(using: str, statement: Statement) -> list[tuple[Any, ...]]:
    """Execute ``statement``, and return the rows of its result."""
    with connections[using].cursor() as cursor:
        cursor.execute(statement.text, statement.values)
        return cast("list[tuple[Any, ...]]", cursor.fetchall())


def instances(model: type[M], statement: Statement, using: str) -> list[M]:
    """
    Execute ``statement``, and return its result as instances of ``model``.

    The statement must select all columns, in the order in which the ORM does.
    """
    return [
        made(model, _attributes(model), row, using) for row in fetch(using, statement)
    ]


def made(model: type[M], names: tuple[str, ...], row: Sequence[Any], using: str) -> M:
    """Return an instance of ``model`` with the fields ``names`` from the database."""
    return model.from_db(using, names, converted(model, names, row, connections[using]))


def converted(
    model: Model, names: tuple[str, ...], row: Sequence[Any], connection: Any
) -> list[Any]:
    """Return the values of the fields ``names`` that the driver has read as ``row``."""
    return apply(_converters(model, names, connection.alias), row, connection)


def apply(
    converters: Iterable[tuple[int, Expression, Converter]],
    row: Sequence[Any],
    connection: Any,
) -> list[Any]:
    """Return the values in ``row``, each converted by those at its position."""
    values = list(row)
    for position, column, convert in converters:
        values[position] = convert(values[position], column, connection)
    return values


@functools.cache
def _attributes(model: Model) -> tuple[str, ...]:
    return tuple(each.attname for each in model._meta.concrete_fields)


@functools.cache
def _fields(model: Model, names: tuple[str, ...]) -> list[models.Field[Any, Any]]:
    return [field(model, name) for name in names]


@functools.cache
def _converters(
    model: Model, names: tuple[str, ...], using: str
) -> list[tuple[int, Expression, Converter]]:
    # As the ORM does, convert a foreign key like the key that it refers to.
    selected = [field(model, name).get_col(model._meta.db_table) for name in names]
    return [
        (position, column, convert)
        for position, column in enumerate(selected)
        for convert in _converters_of(column, connections[using])
    ]


def _converters_of(column: Any, connection: Any) -> Sequence[Converter]:
    # Django chooses converters of times by USE_TZ. The package's own field needs none.
    own = getattr(column.output_field, "from_driver", None)
    if own is not None:
        return [own]
    return [
        *connection.ops.get_db_converters(column),
        *column.get_db_converters(connection),
    ]


def field(model: Model, name: str) -> models.Field[Any, Any]:
    """Return the field of ``model`` with this name."""
    return cast("models.Field[Any, Any]", model._meta.get_field(name))
