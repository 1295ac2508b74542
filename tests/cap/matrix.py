"""What is measured: databases, isolation, transactions, servers and views, limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cap.judge import Combination

if TYPE_CHECKING:
    from collections.abc import Iterator

# Database, isolation, ATOMIC_REQUESTS. SQLite as Django has it by default and, where a
# transaction may begin by reading, as its documentation advises.
CELLS = [
    ("sqlite", "deferred", False),
    ("sqlite", "immediate", True),
    *(
        (database, isolation, atomic_requests)
        for database in ("postgresql", "mariadb")
        for isolation in ("read committed", "repeatable read")
        for atomic_requests in (False, True)
    ),
]


def doors(*, atomic_requests: bool) -> list[tuple[str, str]]:
    """
    Server and view.

    Django wants an async view to opt out of ``ATOMIC_REQUESTS``: it is measured there
    as it then runs, and a sync view under ASGI beside it.
    """
    both = [("wsgi", "sync"), ("asgi", "async")]
    return [*both, ("asgi", "sync")] if atomic_requests else both


def cells() -> Iterator[Combination]:
    """Every cell once."""
    for database, isolation, atomic in CELLS:
        yield Combination(database, isolation, atomic, "wsgi", "sync")


def full() -> Iterator[Combination]:
    """Every cell through every door with both limits; some with ``deny``."""
    for database, isolation, atomic in CELLS:
        for limit in (1, 3):
            for server, view in doors(atomic_requests=atomic):
                yield Combination(database, isolation, atomic, server, view, limit)
            yield from _alone(database, isolation, limit, atomic=atomic)
        yield _deny(database, isolation, atomic=atomic)


def moderate() -> Iterator[Combination]:
    """Every cell through every door with one limit, each cell with both."""
    for number, (database, isolation, atomic) in enumerate(CELLS):
        for door, (server, view) in enumerate(doors(atomic_requests=atomic)):
            limit = (1, 3)[(number // 2 + door) % 2]
            yield Combination(database, isolation, atomic, server, view, limit)
        limit = (3, 1)[number // 2 % 2]
        yield from _alone(database, isolation, limit, atomic=atomic)
        yield _deny(database, isolation, atomic=atomic)


def _alone(
    database: str, isolation: str, limit: int, *, atomic: bool
) -> Iterator[Combination]:
    """Where ``last_login`` would put the sign-ins in a queue, without it."""
    if atomic:
        yield Combination(
            database, isolation, atomic, "wsgi", "sync", limit, last_login=False
        )


def _deny(database: str, isolation: str, *, atomic: bool) -> Combination:
    server, view = doors(atomic_requests=atomic)[-1]
    limit = 1 if isolation in {"deferred", "read committed"} else 3
    return Combination(database, isolation, atomic, server, view, limit, "deny")
