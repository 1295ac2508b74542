"""
What plays cost, and what the gateway answers: ``python -m benchmarks.plays [--full]``
(``make plays``). ``--full`` is what is published.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import machine, results
from benchmarks.databases import connect, database
from benchmarks.environments import ROOT
from benchmarks.plays import asking, renewing, report
from benchmarks.push.server import serving

APPLICATION = "benchmarks.plays.project.asgi:application"
ENGINES = ("db", "cached_db", "cache", "file", "signed_cookies")
GATEWAY = "/account/sessions/gateway/"


def people(count: int, environment: dict[str, str]) -> list[list[str]]:
    """Return so many people: a session's key, its id and that of what it plays."""
    command = [sys.executable, "-m", "benchmarks.plays.project.people", str(count)]
    made = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return [line.split() for line in made.stdout.splitlines()]


def live_plays(*, full: bool) -> list[dict[str, Any]]:
    sizes, seconds = ((2_500, 5_000, 10_000), 20) if full else ((250, 500, 1000), 12)
    found = []
    for size in sizes:
        # Each size in a database of its own, whose rows are as old.
        with database("postgresql", "plays") as made:
            everybody = people(size, made.environment)
            # The largest is more than Python carries beside PostgreSQL on a few cores.
            for through in ("django", "statements")[size == sizes[-1] :]:
                # What comes before takes longer than a lease.
                keep(made.name)
                found.append(renewing.measure(everybody, seconds, made, through))
                print(found[-1], flush=True)
    return found


def gateway(*, full: bool) -> list[dict[str, Any]]:
    turns, seconds, many = (6, 2.0, 3_000) if full else (2, 1.0, 500)
    found = []
    for engine in ENGINES:
        with (
            tempfile.TemporaryDirectory() as files,
            database("postgresql", "gateway") as made,
        ):
            environment = {
                **made.environment,
                "BENCHMARKS_ENGINE": engine,
                "BENCHMARKS_FILES": files,
            }
            everybody = people(64, environment)
            keep(made.name)
            with serving(environment, APPLICATION) as server:
                kinds = ("", "play") if engine == "db" else ("",)
                rows = {
                    kind: beside(server.port, everybody, turns, seconds, kind)
                    for kind in kinds
                }
                if engine == "db":
                    rows["first"] = first(server.port, people(many, environment))
            for kind, row in rows.items():
                found.append({"engine": engine, "kind": kind, **row})
                print(found[-1], flush=True)
    return found


def keep(name: str) -> None:
    """Have every play outlast what is measured: nobody renews them here."""
    with connect(name) as connection:
        connection.execute(
            "UPDATE session_limit_play SET lease_until = now() + interval '1 hour'"
        )


def questions(
    everybody: list[list[str]], kind: str
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return what is asked of the gateway and of the bare application, of each."""
    ours, bare = [], []
    for key, id, play in everybody:
        asks_play = kind == "play"
        ours.append((f"{GATEWAY}?play={play}" if asks_play else GATEWAY, key))
        bare.append((f"/bare/{id},{play}" if asks_play else f"/bare/{id}", key))
    return ours, bare


def beside(
    port: int, everybody: list[list[str]], turns: int, seconds: float, kind: str
) -> dict[str, float]:
    """Ask the gateway and the bare application by turns; return what each answers."""
    ours, bare = questions(everybody, kind)
    for each in (ours, bare):
        asking.rate(port, each, 0.5)
    pairs = []
    for turn in range(turns):
        # What else the machine does falls on both, and on neither for being the first.
        step = 1 if turn % 2 else -1
        rates = [asking.rate(port, each, seconds) for each in (ours, bare)[::step]]
        pairs.append(tuple(rates[::step]))
    return compared(pairs)


def first(port: int, everybody: list[list[str]]) -> dict[str, float]:
    """
    The same of sessions that this process has never met: where the account stands is
    looked for too, once a minute for each, and its data are verified.
    """
    ours, bare = questions(everybody, "first")
    half = len(everybody) // 2
    return compared(
        [
            (asking.rate_once(port, ours[:half]), asking.rate_once(port, bare[:half])),
            (asking.rate_once(port, ours[half:]), asking.rate_once(port, bare[half:])),
        ]
    )


def compared(pairs: list[tuple[float, float]]) -> dict[str, float]:
    return {
        "gateway": statistics.median(pair[0] for pair in pairs),
        "bare": statistics.median(pair[1] for pair in pairs),
        "ratio": statistics.median(pair[0] / pair[1] for pair in pairs),
    }


NGINX = """
daemon off; pid {directory}/pid; error_log {directory}/log; {user}
events {{ }}
http {{
    access_log off;
    keepalive_requests 1000000;
    proxy_cache_path {directory}/kept keys_zone=kept:1m;
    upstream gateway {{ server 127.0.0.1:{port}; keepalive 16; }}
    proxy_pass_request_body off;
    proxy_set_header Content-Length "";
    proxy_set_header Connection "";
    proxy_http_version 1.1;
    server {{
        listen 127.0.0.1:{own_port};
        location /free/ {{ alias {directory}/; }}
        location /asked/ {{ auth_request /_asked; alias {directory}/; }}
        location /kept/ {{ auth_request /_kept; alias {directory}/; }}
        location = /_asked {{ internal; proxy_pass http://gateway{gateway}; }}
        location = /_kept {{
            internal;
            proxy_pass http://gateway{gateway};
            proxy_cache kept;
            proxy_cache_key $http_cookie;
            proxy_cache_valid 200 2s;
            proxy_ignore_headers Cache-Control;
        }}
    }}
}}
"""


def segments(*, full: bool) -> list[dict[str, Any]]:
    """
    Return what a file of 10 kB takes of nginx, in ms, asked for one after another; and
    how many it serves in a second over many connections.
    """
    turns, seconds = (5, 2.0) if full else (2, 1.0)
    alone: dict[str, list[float]] = {way: [] for way in report.WAYS}
    together: dict[str, list[float]] = {way: [] for way in report.WAYS}
    with database("postgresql", "segments") as made:
        everybody = people(64, made.environment)
        with (
            serving(made.environment, APPLICATION) as server,
            nginx(server.port) as port,
        ):
            for _ in range(turns):
                for way in report.WAYS:
                    paths = [(f"/{way}/segment", key) for key, *_ in everybody]
                    each = 1000 / asking.rate(port, paths, seconds, 1)
                    alone[way].append(each)
                    together[way].append(asking.rate(port, paths, seconds))
    return [
        {
            "way": way,
            "ms": statistics.median(alone[way]),
            "rate": statistics.median(together[way]),
        }
        for way in report.WAYS
    ]


@contextlib.contextmanager
def nginx(port: int) -> Iterator[int]:
    """Serve a file before the gateway at ``port``; yield nginx's own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        own_port = int(listener.getsockname()[1])
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program is not None, "nginx is needed"
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "segment").write_bytes(b"x" * 10_000)
        user = "user root;" if os.geteuid() == 0 else ""
        text = NGINX.format(
            directory=name, port=port, own_port=own_port, gateway=GATEWAY, user=user
        )
        (directory / "nginx.conf").write_text(text)
        command = [program, "-p", name, "-c", f"{name}/nginx.conf"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            try:
                time.sleep(0.5)
                yield own_port
            finally:
                process.terminate()
                process.wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    full = parser.parse_args().full
    found = {
        **machine.describe("python -m benchmarks.plays"),
        "connections": asking.CONNECTIONS,
        "live": live_plays(full=full),
        "gateway": gateway(full=full),
        "nginx": segments(full=full),
    }
    directory = results.PUBLISHED if full else results.QUICK
    results.save("plays", found, directory)
    text = report.text(found)
    if full:
        report.PAGE.write_text(text)
    print(text)
    if any(row["lost"] for row in found["live"]):
        sys.exit("Plays were lost.")


if __name__ == "__main__":
    main()
