"""Record and count what the code asks of the databases and of the cache."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from django.core.cache.backends.redis import RedisCache
from django.db.backends.utils import CursorWrapper

Statement = tuple[str, Any]

# These belong to a transaction, and are no work of their own.
TRANSACTION = {"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"}
KINDS = {"SELECT": "reads", "INSERT": "writes", "UPDATE": "writes", "DELETE": "writes"}
OPERATIONS = ("get", "set", "add", "delete", "touch", "get_many", "delete_many")


def kind_of(statement: str) -> str | None:
    """Return the kind that a statement is counted as, ``None`` if it is not counted."""
    verb = statement.lstrip("( ").partition(" ")[0].upper()
    return None if verb in TRANSACTION else KINDS.get(verb, "others")


@contextmanager
def recorded() -> Iterator[list[Statement]]:
    """Record the statements of all threads and aliases in a list."""
    statements: list[Statement] = []
    execute = CursorWrapper.execute

    def recording(self: Any, sql: str, params: Any = None) -> Any:
        statements.append((sql, params))
        return execute(self, sql, params)

    with mock.patch.object(CursorWrapper, "execute", recording):
        yield statements


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """
    Count statements as ``reads``, ``writes`` and ``others``, and operations on the
    cache as ``cache``. The counts are complete when the block has ended.
    """
    counts: Counter[str] = Counter()

    def counting(original: Any) -> Any:
        def operation(*args: Any, **kwargs: Any) -> Any:
            counts["cache"] += 1
            return original(*args, **kwargs)

        return operation

    with ExitStack() as stack:
        statements = stack.enter_context(recorded())
        for name in OPERATIONS:
            patched = counting(getattr(RedisCache, name))
            stack.enter_context(mock.patch.object(RedisCache, name, patched))
        yield counts
    counts.update(kind for sql, _ in statements if (kind := kind_of(sql)))
