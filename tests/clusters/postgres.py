"""Run a PostgreSQL primary and its standby for the tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from tests.cap.databases import PostgreSQL
from tests.clusters.ports import free_ports
from tests.clusters.programs import POSTGRESQL_PROGRAMS
from tests.drivers import library

psycopg = library("psycopg")

PATIENCE = 30

# PostgreSQL refuses to run as root.
USER = "postgres" if os.geteuid() == 0 else None

CONFIGURATION = """
listen_addresses = '127.0.0.1'
port = {server.port}
unix_socket_directories = ''
shared_buffers = 32MB
wal_keep_size = 64MB
{settings}
"""


def is_running(pid):
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    # The state follows the name in parentheses. Z is a process that has ended.
    return status.rpartition(")")[2].split()[0] != "Z"


class Server:
    """A PostgreSQL server and its data directory."""

    def __init__(self, directory):
        self.directory = directory
        [self.port] = free_ports(1)

    def run(self, program, *arguments):
        subprocess.run(
            [POSTGRESQL_PROGRAMS / program, *arguments],
            user=USER,
            group=USER,
            extra_groups=[] if USER is not None else None,
            cwd="/",
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=PATIENCE,
        )

    def control(self, *arguments):
        log = f"{self.directory}.log"
        self.run("pg_ctl", "-D", self.directory, "-l", log, "-w", *arguments)

    def initialize(self, **settings):
        self.run("initdb", "-D", self.directory, "-A", "trust", "-U", "postgres", "-N")
        self.configure(**settings)
        self.control("start")

    def configure(self, **settings):
        lines = "\n".join(f"{name} = '{value}'" for name, value in settings.items())
        configuration = CONFIGURATION.format(server=self, settings=lines)
        (self.directory / "postgresql.conf").write_text(configuration)

    def follow(self, primary):
        """Become a standby of ``primary``, and start."""
        source = f"host=127.0.0.1 port={primary.port} user=postgres"
        source += " application_name=standby"
        self.run("pg_basebackup", "-d", source, "-D", self.directory, "-R", "-cfast")
        self.configure()
        self.control("start")

    def promote(self):
        self.control("promote")

    def processes(self):
        """Return the ids of the server's processes, the postmaster's first."""
        [pid, *_] = (self.directory / "postmaster.pid").read_text().split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(pid), *map(int, children)]

    @contextmanager
    def frozen(self, name):
        """Stop the server's process with this name until the block ends."""
        [pid] = [
            each
            for each in self.processes()
            if name in Path(f"/proc/{each}/cmdline").read_text()
        ]
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def kill(self):
        """Kill all processes of the server at once, as a power failure does."""
        pids = self.processes()
        # One by one: each process of PostgreSQL leads a group of its own.
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while any(is_running(pid) for pid in pids):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        (self.directory / "postmaster.pid").unlink()

    def stop(self):
        if (self.directory / "postmaster.pid").exists():
            self.control("stop", "-m", "immediate")

    def connect(self, database):
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="postgres",
            dbname=database,
            autocommit=True,
        )

    def execute(self, statement, database="postgres"):
        """Execute one statement, and return the rows that it finds, if any."""
        with self.connect(database) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []


class OnServer(PostgreSQL):
    """The cap tests' database, with this ``name`` on one server."""

    def __init__(self, server, name):
        super().__init__()
        self.name = name
        self.server = server

    def connect(self):
        return self.server.connect(self.name)

    def environment(self):
        return {
            **super().environment(),
            "CAP_HOST": "127.0.0.1",
            "CAP_PORT": str(self.server.port),
            "CAP_USER": "postgres",
            "CAP_PASSWORD": "",
        }


@contextmanager
def servers(count):
    """Yield ``count`` servers that are not started, and stop them at the end."""
    with tempfile.TemporaryDirectory(prefix="session_limit_standby_") as directory:
        root = Path(directory)
        if USER is not None:
            shutil.chown(root, USER)
        made = [Server(root / str(number)) for number in range(count)]
        try:
            yield made
        finally:
            for server in made:
                server.stop()
