"""Renew plays through Django's handler, evenly spread over time."""

from __future__ import annotations

import io
import time
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.test import RequestFactory

from benchmarks.project.recording import recorded
from session_limit.registry.leases import INTERVAL

TOKEN = "c" * 32
HANDLER = get_wsgi_application()
REQUESTS: list[dict[str, Any]] = []


def _renew(request: dict[str, Any]) -> bool:
    """Send a request to renew a play, and return whether the play is live."""
    environ = request | {"wsgi.input": io.BytesIO()}
    response = HANDLER(environ, lambda *args: None)
    response.close()
    return bool(response.status_code == 200)


def prepare(people: list[tuple[str, str]]) -> None:
    """
    Create the requests with which players renew their plays.

    ``people`` contains pairs of a session key and a play's id.
    """
    for key, play in people:
        headers = {
            "Cookie": f"sessionid={key}; csrftoken={TOKEN}",
            "X-CSRFToken": TOKEN,
            "Accept": "application/json",
        }
        path = f"/account/sessions/plays/{play}/renew/"
        REQUESTS.append(RequestFactory().post(path, headers=headers).environ)
    # Connect to the database before the measurement.
    assert _renew(REQUESTS[0])


def renew(seconds: float) -> dict[str, Any]:
    """
    Renew every play once per interval, for this many ``seconds``.

    Return the delays in milliseconds between the time when each renewal was due and its
    response, the number of statements, the number of plays that were not live, and the
    CPU seconds.
    """
    pause = INTERVAL.total_seconds() / len(REQUESTS)
    delays: list[float] = []
    lapsed = 0
    with recorded() as statements:
        begun, cpu = time.monotonic(), time.process_time()
        while (due := begun + len(delays) * pause) < begun + seconds:
            time.sleep(max(0.0, due - time.monotonic()))
            lapsed += not _renew(REQUESTS[len(delays) % len(REQUESTS)])
            delays.append((time.monotonic() - due) * 1000)
    return {
        "delays": delays,
        "statements": len(statements),
        "lapsed": lapsed,
        "cpu": time.process_time() - cpu,
    }
