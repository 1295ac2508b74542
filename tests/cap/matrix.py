"""What is measured: databases, isolation, transactions, servers and views, limits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.cap.judge import Combination

if TYPE_CHECKING:
    from collections.abc import Iterator

# Each is served by gunicorn to a sync view. SQLite as Django has it by default and,
# where a transaction may begin by reading, as its documentation advises.
CELLS = [
    Combination("sqlite", "deferred", False, "wsgi", "sync"),
    Combination("sqlite", "immediate", True, "wsgi", "sync"),
    *(
        Combination(database, isolation, atomic_requests, "wsgi", "sync")
        for database in ("postgresql", "mariadb")
        for isolation in ("read committed", "repeatable read")
        for atomic_requests in (False, True)
    ),
]


def doors(cell: Combination) -> list[Combination]:
    """
    Through every server and view.

    Django wants an async view to opt out of ``ATOMIC_REQUESTS``: it is measured there
    as it then runs, and a sync view under ASGI beside it.
    """
    both = [cell, replace(cell, server="asgi", view="async")]
    return [*both, replace(cell, server="asgi")] if cell.atomic_requests else both


def full() -> Iterator[Combination]:
    """Every cell through every door with both limits, and with ``deny``."""
    for cell in CELLS:
        for door in doors(cell):
            for limit in (1, 3):
                yield replace(door, limit=limit)
            limit = 3 if door.atomic_requests else 1
            yield replace(door, limit=limit, at_limit="deny")
        if cell.atomic_requests:
            for limit in (1, 3):
                yield replace(cell, limit=limit, last_login=False)


def moderate() -> Iterator[Combination]:
    """Every cell through every door with one limit or the other, once with ``deny``."""
    limits = (1, 3)
    for number, cell in enumerate(CELLS):
        wsgi, asgi, *rest = doors(cell)
        chosen = [wsgi, asgi, *(replace(each, last_login=False) for each in rest)]
        denying = wsgi if cell.atomic_requests else asgi
        chosen.append(replace(denying, at_limit="deny"))
        for door, each in enumerate(chosen):
            yield replace(each, limit=limits[(number // 2 + door) % 2])
