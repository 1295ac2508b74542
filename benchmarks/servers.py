"""Start and stop the databases, server processes and worker processes to measure."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from benchmarks.contenders import OURS, WITH_PLAYS, Contender
from benchmarks.environments import ROOT

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/5")
TICKS = os.sysconf("SC_CLK_TCK")
APPLICATION = "benchmarks.project.asgi:application"


def connect(name: str) -> Any:
    """Return a PostgreSQL connection to the database ``name``, in autocommit mode."""
    import psycopg

    return psycopg.connect(
        host=os.environ.get("PGHOST", "127.0.0.1"),
        port=os.environ.get("PGPORT", "5432"),
        user=os.environ.get("PGUSER", "postgres"),
        password=os.environ.get("PGPASSWORD", ""),
        dbname=name,
        autocommit=True,
    )


def execute(statement: str, name: str = "postgres") -> None:
    with closing(connect(name)) as connection:
        connection.execute(statement)


def versions() -> dict[str, str]:
    """Return the versions of PostgreSQL and Redis, for the documentation."""
    import redis

    with closing(connect("postgres")) as connection:
        [postgres] = connection.execute("SHOW server_version").fetchone()
    info = redis.Redis.from_url(REDIS_URL).info()
    return {
        "PostgreSQL": postgres.partition(" ")[0],
        "Redis": info["redis_version"],
    }


@contextmanager
def database(kind: str = "postgresql", owner: str = "") -> Iterator[dict[str, str]]:
    """Create an empty database, yield its environment variables, and drop it."""
    unique = f"sl_bench_{os.getpid()}_{owner.replace('-', '_')}"
    variables = {"BENCHMARKS_DATABASE": kind, "BENCHMARKS_NAME": unique}
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix=f"{unique}_") as directory:
            yield variables | {"BENCHMARKS_NAME": f"{directory}/db.sqlite3"}
        return
    execute(f"CREATE DATABASE {unique}")
    try:
        yield variables
    finally:
        execute(f"DROP DATABASE {unique} WITH (FORCE)")


def postgres_seconds(connection: Any, name: str) -> float:
    """
    Return the CPU seconds that PostgreSQL has used for one database so far.

    This includes the connections to the database, except for ``connection``, and the
    processes that write for all databases (WAL, checkpoints).
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


def variables(contender: Contender, on: dict[str, str], **more: str) -> dict[str, str]:
    """Return the environment variables that ``benchmarks.project.settings`` reads."""
    return {
        **os.environ,
        **on,
        "DJANGO_SETTINGS_MODULE": "benchmarks.project.settings",
        "BENCHMARKS_CONTENDER": contender.name,
        # Make every process iterate over sets in the same order.
        "PYTHONHASHSEED": "0",
        **{f"BENCHMARKS_{name.upper()}": value for name, value in more.items()},
    }


class WorkerError(Exception):
    """A function in a worker process raised an exception, or the process ended."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A process with Django set up, in which functions are called by name."""

    process: subprocess.Popen[str]
    log: IO[str]

    def begin(self, function: str, **arguments: Any) -> None:
        """Call a function of ``benchmarks.project``, without waiting for its result."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps([function, arguments]) + "\n")
            self.process.stdin.flush()

    def end(self) -> Any:
        """Wait for the function that ``begin()`` called, and return its result."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.log.seek(0)
            last = self.log.read().strip().rpartition("\n")[2]
            raise WorkerError(f"it does not run: {last}")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer["result"]

    def call(self, function: str, **arguments: Any) -> Any:
        self.begin(function, **arguments)
        return self.end()


@contextmanager
def worker(
    environment: dict[str, str],
    interpreter: str = sys.executable,
    under: Sequence[str] = (),
) -> Iterator[Worker]:
    """Start a worker process. ``under`` is the command of a tool that runs it."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [*under, interpreter, "-m", "benchmarks.project.worker"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            yield Worker(process, log)
        finally:
            # The worker exits when its input is closed.
            process.communicate(timeout=120)


@dataclass(frozen=True, slots=True)
class Person:
    """A user with a live session and, if plays are limited, a live play."""

    username: str
    key: str
    session: str
    play: str


def people(count: int, on: dict[str, str], engine: str = "db") -> list[Person]:
    """Create users who are each signed in, and the tables if there are none."""
    environment = variables(WITH_PLAYS, on, engine=engine)
    with worker(environment) as made:
        return [Person(*row) for row in made.call("people.create", count=count)]


@dataclass(frozen=True, slots=True)
class Server:
    port: int
    pid: int

    @property
    def memory(self) -> int:
        """Return the resident memory of the process, in bytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def serving(
    on: dict[str, str], contender: Contender = OURS, **more: str
) -> Iterator[Server]:
    """Serve ``benchmarks.project.asgi`` with one uvicorn process."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        port = listener.getsockname()[1]
        process = subprocess.Popen(
            [
                *(
                    sys.executable,
                    "-m",
                    "uvicorn",
                    APPLICATION,
                ),
                *("--log-level", "warning", "--timeout-graceful-shutdown", "1"),
                *("--fd", str(listener.fileno())),
            ],
            cwd=ROOT,
            env=variables(contender, on, server="asgi", **more),
            pass_fds=[listener.fileno()],
        )
    try:
        _wait(port, process)
        yield Server(port, process.pid)
    finally:
        process.terminate()
        process.wait()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise RuntimeError("The server does not start.")
