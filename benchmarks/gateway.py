"""
Measure the rate at which the gateway answers, and the time it adds to nginx.

The gateway tells a proxy such as nginx whether a request belongs to a live session.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import plays
from benchmarks.connections import Connection
from benchmarks.contenders import ENGINES, WITH_PLAYS
from benchmarks.figures import measured, table, verdict
from benchmarks.servers import Person, database, execute, people, serving

PAGE = plays.PAGE
BLOCKS = ("gateway", "nginx")

PATH = "/account/sessions/gateway/"
CONNECTIONS = 16
# The target for the gateway's rate, as a share of the rate of the bare application.
TARGET = 0.7
# The locations that nginx serves, and what it does before it responds.
WAYS = {
    "free": "no question",
    "kept": "nginx keeps the answer for two seconds",
    "asked": "the gateway is asked every time",
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
        location = /_asked {{ internal; proxy_pass http://gateway{path}; }}
        location = /_kept {{
            internal;
            proxy_pass http://gateway{path};
            proxy_cache kept;
            proxy_cache_key $http_cookie;
            proxy_cache_valid 200 2s;
            proxy_ignore_headers Cache-Control;
        }}
    }}
}}
"""

Question = tuple[str, str]


async def _rate(
    port: int, questions: list[Question], seconds: float | None, connections: int
) -> float:
    deadline = time.monotonic() + (seconds or 0)

    async def ask(own: list[Question]) -> int:
        count = 0
        async with await Connection.open(port) as connection:
            while True:
                for path, key in own:
                    if seconds is not None and time.monotonic() >= deadline:
                        return count
                    answer = await connection.ask(path, key)
                    assert answer.is_ok, answer.head
                    count += 1
                if seconds is None:
                    return count

    begun = time.monotonic()
    shares = [questions[n::connections] or questions for n in range(connections)]
    counts = await asyncio.gather(*map(ask, shares))
    return sum(counts) / (time.monotonic() - begun)


def rate(
    port: int,
    questions: list[Question],
    seconds: float | None = None,
    connections: int = CONNECTIONS,
) -> float:
    """
    Return the number of responses per second to requests for ``questions``.

    Each question is a path and a session key. Repeats the requests for this many
    ``seconds``, or sends each request once if ``seconds`` is ``None``.
    """
    return asyncio.run(_rate(port, questions, seconds, connections))


def compare(
    port: int, everybody: list[Person], turns: int, seconds: float | None, kind: str
) -> tuple[float, float, float]:
    """
    Measure the gateway and the bare application, which decides nothing, in turns.

    Without ``seconds``, each turn uses sessions that the server has not seen before.
    Return the median responses per second of the gateway and of the bare application,
    and the median ratio.
    """
    ours, bare = [], []
    for one in everybody:
        query = f"play={one.play}" if kind == "play" else ""
        ours.append((f"{PATH}?{query}", one.key))
        bare.append((f"/bare/?session={one.session}&{query}", one.key))
    if seconds is not None:
        for questions in (ours, bare):
            rate(port, questions, seconds / 4)
    pairs = []
    for turn in range(turns):
        part = slice(turn, None, turns) if seconds is None else slice(None)
        # Alternate the order, so that neither application always comes first.
        step = 1 if turn % 2 else -1
        rates = [rate(port, each[part], seconds) for each in (ours, bare)[::step]]
        pairs.append(rates[::step])
    ratios = [gateway / other for gateway, other in pairs]
    gateway, other = (statistics.median(each) for each in zip(*pairs, strict=True))
    return gateway, other, statistics.median(ratios)


def engines(*, full: bool) -> Iterator[tuple[str, tuple[float, float, float]]]:
    turns, seconds, many = (6, 2.0, 3_000) if full else (2, 1.0, 500)
    for engine in ENGINES:
        with tempfile.TemporaryDirectory() as files, database(owner="gateway") as on:
            own = on | {"BENCHMARKS_FILES": files}
            known = people(64, own, engine)
            new = people(many, own, engine) if engine == "db" else []
            execute(plays.KEEP, on["BENCHMARKS_NAME"])
            with serving(own, WITH_PLAYS, engine=engine, pool="0") as server:
                asked = [("", known, seconds)]
                if engine == "db":
                    asked += [("play", known, seconds), ("first", new, None)]
                for kind, everybody, each in asked:
                    found = compare(server.port, everybody, turns, each, kind)
                    yield f"`{engine}`{f', {kind}' if kind else ''}", found


@contextlib.contextmanager
def nginx(port: int) -> Iterator[int]:
    """
    Serve a file of 10 kB with nginx, protected by the gateway at ``port``.

    Yields the port of nginx.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        own_port = int(listener.getsockname()[1])
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program is not None, "nginx is needed"
    with tempfile.TemporaryDirectory() as name:
        Path(name, "segment").write_bytes(b"x" * 10_000)
        user = "user root;" if os.geteuid() == 0 else ""
        text = NGINX.format(
            directory=name, port=port, own_port=own_port, path=PATH, user=user
        )
        Path(name, "nginx.conf").write_text(text)
        command = [program, "-p", name, "-c", f"{name}/nginx.conf"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            try:
                time.sleep(0.5)
                yield own_port
            finally:
                process.terminate()
                process.wait()


def segments(*, full: bool) -> dict[str, tuple[float, float]]:
    """
    Measure the time to get a file from nginx in each of ``WAYS``.

    Return the milliseconds of a request when there is one at a time, and the number of
    requests per second when there are several, for each way.
    """
    turns, seconds = (5, 2.0) if full else (2, 1.0)
    alone: dict[str, list[float]] = {way: [] for way in WAYS}
    together: dict[str, list[float]] = {way: [] for way in WAYS}
    with database(owner="segments") as on:
        everybody = people(64, on)
        with (
            serving(on, WITH_PLAYS, pool="0") as server,
            nginx(server.port) as port,
        ):
            for _ in range(turns):
                for way in WAYS:
                    paths = [(f"/{way}/segment", one.key) for one in everybody]
                    alone[way].append(1000 / rate(port, paths, seconds, 1))
                    together[way].append(rate(port, paths, seconds))
    return {
        way: (statistics.median(alone[way]), statistics.median(together[way]))
        for way in WAYS
    }


def measure(*, full: bool) -> Iterator[str]:
    """Yield the tables for the documentation."""
    sentence = measured()
    rows, misses = [], []
    for name, (ours, bare, share) in engines(full=full):
        rows.append([name, f"{ours:,.0f}", f"{bare:,.0f}", f"{share:.2f}"])
        if share < TARGET and "first" not in name:
            misses.append(f"{name} ({share:.2f})")
    shown = table(["engine", "gateway", "bare", "ratio"], rows)
    yield f"{sentence} {verdict(misses)}\n\n{shown}"
    found = segments(full=full)
    named = [
        [WAYS[way], f"{ms:.2f}", f"{each:,.0f}"] for way, (ms, each) in found.items()
    ]
    cost = found["asked"][0] - found["free"][0]
    shown = table(["", "ms", "requests/s"], named)
    yield f"{shown}\n\nA question adds {cost:.2f} ms to a segment."
