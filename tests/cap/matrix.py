"""List the combinations of database, isolation, transactions, server and limit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.cap.judge import Combination

if TYPE_CHECKING:
    from collections.abc import Iterator

# gunicorn serves each of these with a sync view. SQLite runs with Django's default mode
# and, for transactions that may begin with a read, with the mode that Django's
# documentation advises.
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
    Return a cell with each of the servers and views.

    Django requires an async view to opt out of ``ATOMIC_REQUESTS``, so it is measured
    without it. A sync view under ASGI is measured as well.
    """
    both = [cell, replace(cell, server="asgi", view="async")]
    return [*both, replace(cell, server="asgi")] if cell.atomic_requests else both


def full() -> Iterator[Combination]:
    """Yield each cell by every server and view, with both limits and with ``deny``."""
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
    """
    Yield each cell by every server and view, with one of the limits.

    One combination of each cell also has ``deny``.
    """
    limits = (1, 3)
    for number, cell in enumerate(CELLS):
        wsgi, asgi, *rest = doors(cell)
        chosen = [wsgi, asgi, *(replace(each, last_login=False) for each in rest)]
        denying = wsgi if cell.atomic_requests else asgi
        chosen.append(replace(denying, at_limit="deny"))
        for door, each in enumerate(chosen):
            yield replace(each, limit=limits[(number // 2 + door) % 2])
