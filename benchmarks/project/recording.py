"""Record and count what a request does: SQL statements, cache operations, calls."""

from __future__ import annotations

import sys
from asyncio import BaseEventLoop
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from django.core.cache.backends.redis import RedisCache
from django.db.backends.utils import CursorWrapper

Statement = tuple[str, Any]

# Python 3.12 and later do not call a function to evaluate a comprehension.
INLINED = {"<listcomp>", "<dictcomp>", "<setcomp>"}

# These statements only control a transaction, so they are not counted.
TRANSACTION = {"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"}
KINDS = {"SELECT": "reads", "INSERT": "writes", "UPDATE": "writes", "DELETE": "writes"}
OPERATIONS = ("get", "set", "add", "delete", "touch", "get_many", "delete_many")


def kind_of(statement: str) -> str | None:
    """Return the kind of an SQL statement, or ``None`` if it is not counted."""
    verb = statement.lstrip("( ").partition(" ")[0].upper()
    return None if verb in TRANSACTION else KINDS.get(verb, "others")


@contextmanager
def recorded() -> Iterator[list[Statement]]:
    """Record the SQL statements of all threads and databases in a list."""
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
    Count SQL statements as ``reads``, ``writes`` or ``others``, and operations on the
    cache as ``cache``. The counts are complete only after the block.
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


@contextmanager
def counted_hops() -> Iterator[Counter[str]]:
    """Count as ``hops`` how often the event loop runs a function in another thread."""
    counts: Counter[str] = Counter()
    original = BaseEventLoop.run_in_executor

    def counting(self: Any, *args: Any) -> Any:
        counts["hops"] += 1
        return original(self, *args)

    with mock.patch.object(BaseEventLoop, "run_in_executor", counting):
        yield counts


@contextmanager
def counted_calls() -> Iterator[Counter[str]]:
    """Count as ``calls`` the Python functions that this thread calls."""
    counts: Counter[str] = Counter()

    def profile(frame: Any, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_name not in INLINED:
            counts["calls"] += 1

    sys.setprofile(profile)
    try:
        yield counts
    finally:
        sys.setprofile(None)
