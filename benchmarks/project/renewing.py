"""Renew plays evenly over time, through Django's handler or by its statements alone."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.test import RequestFactory

from benchmarks.project.recording import Statement, recorded
from session_limit.registry import INTERVAL

TOKEN = "c" * 32
HANDLER = get_wsgi_application()
# For each play, the function that renews it and returns whether it counts still.
RENEWALS: list[Callable[[], bool]] = []


def prepare(people: list[tuple[str, str]], through: str) -> None:
    """
    Prepare the renewals of plays.

    Args:
        people: Pairs of a session key and a play's id.
        through: ``"django"``, or ``"statements"`` to repeat the SQL statements that
            Django has sent for a renewal of the same play.
    """
    for key, play in people:
        renewal = _by_request(key, play)
        if through == "statements":
            with recorded() as statements:
                assert renewal()
            renewal = _by_statements(statements)
        RENEWALS.append(renewal)
    # The first renewal connects to the database.
    assert RENEWALS[0]()


def _by_request(key: str, play: str) -> Callable[[], bool]:
    headers = {
        "Cookie": f"sessionid={key}; csrftoken={TOKEN}",
        "X-CSRFToken": TOKEN,
        "Accept": "application/json",
    }
    path = f"/account/sessions/plays/{play}/renew/"
    environ = RequestFactory().post(path, headers=headers).environ

    def renewal() -> bool:
        sent = environ | {"wsgi.input": io.BytesIO()}
        response = HANDLER(sent, lambda *args: None)
        response.close()
        return bool(response.status_code == 200)

    return renewal


def _by_statements(statements: list[Statement]) -> Callable[[], bool]:
    def renewal() -> bool:
        is_renewed = False
        for sql, parameters in statements:
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                if cursor.description is not None:
                    cursor.fetchall()
                renews = sql.startswith('UPDATE "session_limit_play"')
                is_renewed |= renews and cursor.rowcount == 1
        return is_renewed

    return renewal


def renew(seconds: float) -> dict[str, Any]:
    """
    Renew every play once an interval.

    Returns:
        The milliseconds from when each renewal was due until its answer, the number of
        statements, the number of lapsed plays and the seconds of CPU.
    """
    pause = INTERVAL.total_seconds() / len(RENEWALS)
    delays: list[float] = []
    lapsed = 0
    with recorded() as statements:
        begun, cpu = time.monotonic(), time.process_time()
        while (due := begun + len(delays) * pause) < begun + seconds:
            time.sleep(max(0.0, due - time.monotonic()))
            lapsed += not RENEWALS[len(delays) % len(RENEWALS)]()
            delays.append((time.monotonic() - due) * 1000)
    return {
        "delays": delays,
        "statements": len(statements),
        "lapsed": lapsed,
        "cpu": time.process_time() - cpu,
    }
