"""
Live plays, each renewed at the default interval: what that takes of PostgreSQL.

A worker calls Django's handler in its own process, as a server's would, with requests
that a player sends; so many a second, evenly.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.databases import Database, connect
from benchmarks.environments import ROOT

WORKERS = 2
OK = 200
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


# As it is while all of them play: each was renewed within the last interval (what comes
# a second late finds that it has lapsed), and as many sessions are due to be touched in
# any second of SESSION_LIMIT_TOUCH_INTERVAL.
BEGIN = """
    UPDATE session_limit_play SET lease_until = now() + interval '11 s';
    UPDATE session_limit_usersession
        SET last_active_at = now() - random() * interval '60 s';
"""


def measure(people: list[list[str]], seconds: float, made: Database) -> dict[str, Any]:
    """Renew what ``people`` play for so long; return what it took."""
    workers = []
    for number in range(WORKERS):
        command = [sys.executable, "-m", "benchmarks.plays.renewing", str(seconds)]
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
        connection.execute("VACUUM ANALYZE")
        connection.execute(BEGIN)
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
        "plays": len(people),
        "renewals_per_second": len(delays) / took,
        "statements_per_second": sum(each["statements"] for each in said) / took,
        "lost": sum(each["lost"] for each in said),
        "postgres_cores": (after - before) / took,
        "worker_ms": 1000 * sum(each["cpu"] for each in said) / len(delays),
        "p50_ms": delays[len(delays) // 2],
        "p99_ms": delays[int(len(delays) * 0.99)],
    }


def work(seconds: float) -> None:
    """Renew what standard input names, evenly; print what it took."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.plays.project.settings"
    import django

    django.setup()
    from django.core.handlers.wsgi import WSGIHandler
    from django.db import connection
    from django.test import RequestFactory

    people = json.loads(sys.stdin.readline())
    handler, factory, token = WSGIHandler(), RequestFactory(), "c" * 32
    requests = []
    for key, _, play in people:
        headers = {"Cookie": f"sessionid={key}; csrftoken={token}"}
        headers |= {"X-CSRFToken": token, "Accept": "application/json"}
        path = f"/account/sessions/plays/{play}/renew/"
        requests.append(factory.post(path, headers=headers).environ)
    statements = lost = 0

    def count(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        nonlocal statements
        statements += 1
        return execute(sql, params, many, context)

    connection.execute_wrappers.append(count)
    connection.settings_dict["CONN_MAX_AGE"] = None

    def renew(number: int) -> int:
        environ = requests[number % len(requests)] | {"wsgi.input": io.BytesIO()}
        response = handler(environ, lambda *args: None)
        response.close()
        return int(response.status_code)

    assert renew(0) == OK
    statements, milliseconds = 0, []
    print("ready", flush=True)
    sys.stdin.readline()
    from session_limit.registry import INTERVAL

    pause = INTERVAL.total_seconds() / len(requests)
    began, number, cpu = time.monotonic(), 0, time.process_time()
    while time.monotonic() - began < seconds:
        due = began + number * pause
        time.sleep(max(0.0, due - time.monotonic()))
        lost += renew(number) != OK
        # Since when it was due: who waits for others is late, too.
        milliseconds.append((time.monotonic() - due) * 1000)
        number += 1
    said = {
        "milliseconds": milliseconds,
        "statements": statements,
        "lost": lost,
        "cpu": time.process_time() - cpu,
    }
    print(json.dumps(said), flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    work(float(sys.argv[1]))
