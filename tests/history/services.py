"""Run the services of the checker, such as Redis and PgBouncer."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from tests.history import network

if TYPE_CHECKING:
    from tests.history.network import Host

# Seconds that a service may take to answer.
PATIENCE = 60


# The programs that a run needs, and the Debian packages that contain them.
PROGRAMS = {
    "initdb": "postgresql",
    "postgres": "postgresql",
    "pgbouncer": "pgbouncer",
    "mariadbd": "mariadb-server",
    "mariadb-install-db": "mariadb-server",
    "redis-server": "redis-server",
    "bridge": "iproute2",
    "setpriv": "util-linux",
}


def lacks() -> str:
    """Return why this machine cannot run a history, or ``""``."""
    if why := network.lacks():
        return f"network namespaces: {why}"
    for name, package in PROGRAMS.items():
        try:
            program(name)
        except FileNotFoundError as error:
            return f"{error} (Debian: {package})"
    return ""


def program(name: str) -> str:
    """
    Return the path of a program, which Debian may not put on every PATH.

    Raises ``FileNotFoundError`` if it is not installed.
    """
    candidates = [
        shutil.which(name),
        *(f"/usr/{directory}/{name}" for directory in ("sbin", "local/bin")),
        *sorted(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))),
    ]
    found = [each for each in candidates if each and Path(each).exists()]
    if not found:
        raise FileNotFoundError(f"{name} is not installed.")
    return found[-1]


class Service(ABC):
    """A server process on a host. Subclasses know how to start and query it."""

    user: str
    port: int
    # The signal that stops it without writing what it still holds in memory.
    crash = signal.SIGKILL

    def __init__(self, host: Host, directory: Path) -> None:
        self.host = host
        self.directory = directory / type(self).__name__.lower()
        self.directory.mkdir()
        shutil.chown(self.directory, self.user)
        self.process: subprocess.Popen[bytes] | None = None
        self.make()

    def make(self) -> None:  # noqa: B027  most need nothing
        """Prepare the directory."""

    @abstractmethod
    def command(self) -> list[str]: ...

    @abstractmethod
    def ask(self) -> None:
        """Send the service a query. Raise any exception if it does not answer."""

    def begin(self) -> None:
        """Start the process without waiting until it answers."""
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.host.command(*self.command(), user=self.user),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start(self) -> None:
        self.begin()
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.ask()
            except Exception as error:
                if time.monotonic() > deadline:
                    log = (self.directory / "log").read_text(errors="replace")
                    raise RuntimeError(
                        f"{self!r} does not answer: {error}\n{log}"
                    ) from error
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        """Crash the service. Its data need not be clean."""
        if self.process is not None:
            self.process.send_signal(self.crash)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def run(self, *command: str) -> None:
        """Run a command on the service's host, as the service's user."""
        subprocess.run(
            self.host.command(*command, user=self.user),
            cwd=self.directory,
            check=True,
            capture_output=True,
        )


class Redis(Service):
    user = "root"
    port = 6379

    def command(self) -> list[str]:
        options = {
            "port": "6379",
            "protected-mode": "no",
            "save": "",
            "appendonly": "no",
        }
        flags = [
            part for name, value in options.items() for part in (f"--{name}", value)
        ]
        return [program("redis-server"), *flags]

    def ask(self) -> None:
        import redis

        with contextlib.closing(redis.Redis(self.host.address, socket_timeout=3)) as it:
            it.ping()


class PgBouncer(Service):
    """A PgBouncer in transaction mode, in front of the PostgreSQL at ``target``."""

    user = "postgres"
    port = 6432

    def __init__(self, host: Host, directory: Path, target: tuple[str, int]) -> None:
        self.target = target
        super().__init__(host, directory)

    def make(self) -> None:
        host, port = self.target
        (self.directory / "users").write_text('"postgres" ""\n')
        (self.directory / "ini").write_text(
            f"""[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 0.0.0.0
listen_port = {self.port}
auth_type = trust
auth_file = {self.directory / "users"}
unix_socket_dir =
pool_mode = transaction
max_client_conn = 1000
default_pool_size = 30
server_login_retry = 1
idle_transaction_timeout = 5
ignore_startup_parameters = extra_float_digits,options
"""
        )

    def command(self) -> list[str]:
        return [program("pgbouncer"), "-q", str(self.directory / "ini")]

    def ask(self) -> None:
        import psycopg

        psycopg.connect(
            host=self.host.address,
            port=self.port,
            user="postgres",
            dbname="postgres",
            connect_timeout=3,
        ).close()
