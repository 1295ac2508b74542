"""
Live plays, each renewed at the default interval: what that takes of PostgreSQL.

A worker calls Django's handler in its own process, as a server's would, with requests
that a player sends; so many a second, evenly. Or it sends the statements alone that
such requests have made: what PostgreSQL takes where there is Python enough.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.databases import Database, connect
from benchmarks.environments import ROOT

WORKERS = 2
OK = 200
RENEWS = 'UPDATE "session_limit_play"'
Statement = tuple[str, Any]
# Renews what the person of this number plays; tells whether it counts still.
Renew = Callable[[int], bool]
TICKS = os.sysconf("SC_CLK_TCK")


def postgres_seconds(connection: Any, name: str) -> float:
    """
    Return what PostgreSQL has taken of a processor so far: every connection to this
    database, and what writes for all of them (WAL, checkpoints).
    """
    rows = connection.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = %s OR datname IS NULL", [name]
    )
    total = 0
    for (pid,) in rows.fetchall():
        if pid != connection.info.backend_pid:
            stat = Path(f"/proc/{pid}/stat").read_text()
            total += sum(map(int, stat.rpartition(")")[2].split()[11:13]))
    return total / TICKS


# Each was renewed within the last interval: what comes a second late has lapsed.
LEASED = "UPDATE session_limit_play SET lease_until = now() + interval '11 s'"
# One in six renewals finds that it is time to record activity, which is done once a
# minute: as they come, and where one of each is asked for beforehand.
ACTIVE = "UPDATE session_limit_usersession SET last_active_at = now() - "
AS_THEY_COME = f"{ACTIVE} interval '10 s' * (1 + floor(random() * 6))"
BEFOREHAND = f"{ACTIVE} interval '60 s' * (random() < 1 / 6.0)::int"


def measure(
    people: list[list[str]], seconds: float, made: Database, through: str
) -> dict[str, Any]:
    """
    Renew what ``people`` play for so long, through ``"django"`` or by ``"statements"``
    alone; return what it took.
    """
    module = "benchmarks.plays.renewing"
    workers = []
    with connect(made.name) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute(BEFOREHAND)
    for number in range(WORKERS):
        command = [sys.executable, "-m", module, str(seconds), through]
        worker = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | made.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert worker.stdin is not None
        worker.stdin.write(json.dumps(people[number::WORKERS]) + "\n")
        worker.stdin.flush()
        workers.append(worker)
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    with connect(made.name) as connection:
        connection.execute(AS_THEY_COME)
        connection.execute(LEASED)
        before, began = postgres_seconds(connection, made.name), time.monotonic()
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        lines = [worker.stdout.readline() for worker in workers if worker.stdout]
        # While their connections are there, whose processes end with them.
        took = time.monotonic() - began
        after = postgres_seconds(connection, made.name)
    for worker in workers:
        worker.communicate()
    said = [json.loads(line) for line in lines]
    delays = sorted(delay for each in said for delay in each["milliseconds"])
    return {
        "through": through,
        "plays": len(people),
        "renewals_per_second": len(delays) / took,
        "statements_per_second": sum(each["statements"] for each in said) / took,
        "lost": sum(each["lost"] for each in said),
        "postgres_cores": (after - before) / took,
        "worker_ms": 1000 * sum(each["cpu"] for each in said) / len(delays),
        "p50_ms": delays[len(delays) // 2],
        "p99_ms": delays[int(len(delays) * 0.99)],
    }


def work(seconds: float, through: str) -> None:
    """Renew what standard input names, evenly; print what it took."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.plays.project.settings"
    import django

    django.setup()
    from django.db import connection

    from session_limit.registry.leases import INTERVAL

    connection.settings_dict["CONN_MAX_AGE"] = None
    people = json.loads(sys.stdin.readline())
    sent: list[Statement] = []
    renew = through_django(people)
    with connection.execute_wrapper(recorder(sent)):
        assert renew(0)
        if through == "statements":
            renew = by_statements([sent_by(renew, n, sent) for n in range(len(people))])
        sent.clear()
        milliseconds, lost = [], 0
        print("ready", flush=True)
        sys.stdin.readline()
        pause = INTERVAL.total_seconds() / len(people)
        began, number, cpu = time.monotonic(), 0, time.process_time()
        while time.monotonic() - began < seconds:
            due = began + number * pause
            time.sleep(max(0.0, due - time.monotonic()))
            lost += not renew(number % len(people))
            # Since when it was due: who waits for others is late, too.
            milliseconds.append((time.monotonic() - due) * 1000)
            number += 1
    said = {
        "milliseconds": milliseconds,
        "statements": len(sent),
        "lost": lost,
        "cpu": time.process_time() - cpu,
    }
    print(json.dumps(said), flush=True)
    sys.stdin.readline()


def through_django(people: list[list[str]]) -> Renew:
    """Return what asks Django's handler, with the requests that a player sends."""
    from django.core.handlers.wsgi import WSGIHandler
    from django.test import RequestFactory

    handler, factory, token = WSGIHandler(), RequestFactory(), "c" * 32
    requests = []
    for key, _, play in people:
        headers = {"Cookie": f"sessionid={key}; csrftoken={token}"}
        headers |= {"X-CSRFToken": token, "Accept": "application/json"}
        path = f"/account/sessions/plays/{play}/renew/"
        requests.append(factory.post(path, headers=headers).environ)

    def renew(number: int) -> bool:
        environ = requests[number] | {"wsgi.input": io.BytesIO()}
        response = handler(environ, lambda *args: None)
        response.close()
        return bool(response.status_code == OK)

    return renew


def by_statements(sent: list[list[Statement]]) -> Renew:
    """Return what sends the statements that each person's request has sent."""
    from django.db import connection

    def renew(number: int) -> bool:
        is_renewed = False
        for sql, parameters in sent[number]:
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                if cursor.description is not None:
                    cursor.fetchall()
                is_renewed |= RENEWS in sql and cursor.rowcount == 1
        return is_renewed

    return renew


def sent_by(renew: Renew, number: int, sent: list[Statement]) -> list[Statement]:
    """Return what is ``sent`` to renew it."""
    sent.clear()
    assert renew(number)
    return list(sent)


def recorder(sent: list[Statement]) -> Callable[..., Any]:
    """Return a wrapper of statements that notes what is ``sent``."""

    def record(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        sent.append((sql, params))
        return execute(sql, params, many, context)

    return record


if __name__ == "__main__":
    work(float(sys.argv[1]), sys.argv[2])
