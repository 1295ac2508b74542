"""Counts what a request asks of the databases and of the cache."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.cache.backends.redis import RedisCache
from django.db import connections
from django.db.backends.signals import connection_created

# Part of a transaction, not work of its own.
_TRANSACTION = {"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"}
_KINDS = {"SELECT": "reads", "INSERT": "writes", "UPDATE": "writes", "DELETE": "writes"}

_CACHE_OPERATIONS = ("get", "set", "add", "delete", "touch", "get_many", "delete_many")


def kind_of(statement: str) -> str | None:
    """Return what a statement is counted as, or ``None`` where it is not."""
    verb = statement.lstrip("( ").partition(" ")[0].upper()
    return None if verb in _TRANSACTION else _KINDS.get(verb, "others")


@contextmanager
def _counted_statements(counts: Counter[str]) -> Iterator[None]:
    def execute(run: Callable[..., Any], sql: str, *args: Any) -> Any:
        if (kind := kind_of(sql)) is not None:
            counts[kind] += 1
        return run(sql, *args)

    def wrap(connection: Any, **kwargs: Any) -> None:
        if execute not in connection.execute_wrappers:
            connection.execute_wrappers.append(execute)

    # Under ASGI each request has threads, and so connections, of its own.
    connection_created.connect(wrap)
    for connection in connections.all():
        wrap(connection)
    try:
        yield
    finally:
        connection_created.disconnect(wrap)
        for connection in connections.all():
            connection.execute_wrappers.remove(execute)


@contextmanager
def _counted_operations(counts: Counter[str]) -> Iterator[None]:
    originals = {name: getattr(RedisCache, name) for name in _CACHE_OPERATIONS}

    def counting(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def operation(*args: Any, **kwargs: Any) -> Any:
            counts["cache"] += 1
            return original(*args, **kwargs)

        return operation

    for name, original in originals.items():
        setattr(RedisCache, name, counting(original))
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(RedisCache, name, original)


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """
    Count statements, on every alias and in every thread, as ``reads``, ``writes`` and
    ``others``; and operations on the cache, as ``cache``.
    """
    counts: Counter[str] = Counter()
    with _counted_statements(counts), _counted_operations(counts):
        yield counts
