"""Create a database for the harness on each kind of server, and drop it afterwards."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]

# The user has no usable password, because the view signs in without one.
NEW_USER = """
    INSERT INTO auth_user (username, password, first_name, last_name, email,
                           is_superuser, is_staff, is_active, date_joined)
    VALUES ('{0}', '!', '', '', '', FALSE, FALSE, TRUE, CURRENT_TIMESTAMP)
"""
USER = "SELECT id FROM auth_user WHERE username = '{0}'"


class Database(ABC):
    """A database with connections in autocommit mode, which see what is committed."""

    engine: str
    isolations: tuple[str, ...]

    def __init__(self) -> None:
        self.name = f"session_limit_cap_{secrets.token_hex(4)}"

    @abstractmethod
    def connect(self) -> Any:
        """Open a connection of the driver to this database."""

    @abstractmethod
    def create(self) -> None: ...

    @abstractmethod
    def drop(self) -> None: ...

    @abstractmethod
    def deadlocks(self) -> int:
        """Return how many deadlocks the server has seen in this database."""

    def environment(self) -> dict[str, str]:
        """Return the environment variables that the project's settings read."""
        return {"CAP_ENGINE": self.engine, "CAP_NAME": self.name}

    def migrate(self, environment: Mapping[str, str]) -> None:
        subprocess.run(
            [sys.executable, "-m", "django", "migrate", "--verbosity=0"],
            cwd=ROOT,
            env=dict(environment),
            check=True,
        )

    def create_users(self, count: int) -> list[tuple[int, str]]:
        """Create users for one round, and return the id and the username of each."""
        users = []
        with closing(self.connect()) as connection:
            cursor = connection.cursor()
            for _ in range(count):
                username = f"user-{secrets.token_hex(4)}"
                cursor.execute(NEW_USER.format(username))
                cursor.execute(USER.format(username))
                users.append((int(cursor.fetchone()[0]), username))
        return users


class SQLite(Database):
    """A SQLite file in a directory of its own."""

    engine = "sqlite3"
    isolations = ("deferred", "immediate")

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.gettempdir()) / self.name
        self.name = str(self.directory / "cap.sqlite3")

    def connect(self) -> Any:
        return sqlite3.connect(self.name, timeout=20, isolation_level=None)

    def create(self) -> None:
        self.directory.mkdir()

    def drop(self) -> None:
        shutil.rmtree(self.directory)

    def deadlocks(self) -> int:
        """
        Return 0. SQLite fails with "database is locked" instead, and that is an error.
        """
        return 0


class Service(Database):
    """A database on a server, which may not be running."""

    administrative: str
    host: str
    port: int
    user: str
    password: str

    @classmethod
    @abstractmethod
    def open(cls, name: str) -> Any:
        """Open a connection to the server's database of this name."""

    def connect(self) -> Any:
        return self.open(self.name)

    def execute(self, statement: str) -> None:
        with closing(self.open(self.administrative)) as connection:
            connection.cursor().execute(statement)

    def create(self) -> None:
        self.execute(f"CREATE DATABASE {self.name}")

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "CAP_HOST": self.host,
            "CAP_PORT": str(self.port),
            "CAP_USER": self.user,
            "CAP_PASSWORD": self.password,
        }


class PostgreSQL(Service):
    """A database on the PostgreSQL server that libpq's environment variables name."""

    engine = "postgresql"
    isolations = ("read committed", "repeatable read")
    administrative = "postgres"
    host = os.environ.get("PGHOST", "127.0.0.1")
    port = int(os.environ.get("PGPORT", "5432"))
    user = os.environ.get("PGUSER", "postgres")
    password = os.environ.get("PGPASSWORD", "")

    @classmethod
    def open(cls, name: str) -> Any:
        import psycopg

        return psycopg.connect(
            host=cls.host,
            port=cls.port,
            user=cls.user,
            password=cls.password,
            dbname=name,
            autocommit=True,
        )

    def drop(self) -> None:
        self.execute(f"DROP DATABASE {self.name} WITH (FORCE)")

    def deadlocks(self) -> int:
        with closing(self.connect()) as connection:
            cursor = connection.cursor()
            cursor.execute(
                "SELECT deadlocks FROM pg_stat_database"
                " WHERE datname = current_database()"
            )
            return int(cursor.fetchone()[0])


class MariaDB(Service):
    """A database on the server that the variables of MariaDB's own client name."""

    engine = "mysql"
    isolations = ("read committed", "repeatable read")
    administrative = "information_schema"
    host = os.environ.get("MYSQL_HOST", "127.0.0.1")
    port = int(os.environ.get("MYSQL_TCP_PORT", "3306"))
    user = os.environ.get("MYSQL_USER", "root")
    password = os.environ.get("MYSQL_PWD", "")

    @classmethod
    def open(cls, name: str) -> Any:
        import MySQLdb

        return MySQLdb.connect(
            host=cls.host,
            port=cls.port,
            user=cls.user,
            password=cls.password,
            database=name,
            autocommit=True,
        )

    def create(self) -> None:
        self.execute(f"CREATE DATABASE {self.name} CHARACTER SET utf8mb4")

    def drop(self) -> None:
        self.execute(f"DROP DATABASE {self.name}")

    def deadlocks(self) -> int:
        """
        Return 1 if the server's latest deadlock was in this database, else 0.

        The server counts deadlocks for all its databases together, and describes the
        latest.
        """
        with closing(self.connect()) as connection:
            cursor = connection.cursor()
            cursor.execute("SHOW ENGINE INNODB STATUS")
            status: str = cursor.fetchone()[2]
        _, found, after = status.partition("LATEST DETECTED DEADLOCK")
        return int(bool(found) and self.name in after.partition("TRANSACTIONS\n-")[0])


KINDS: dict[str, type[Database]] = {
    "postgresql": PostgreSQL,
    "mariadb": MariaDB,
    "sqlite": SQLite,
}


@contextmanager
def database(kind: str) -> Iterator[Database]:
    """Create an empty database, yield it, and drop it in any case."""
    made = KINDS[kind]()
    made.create()
    try:
        yield made
    finally:
        made.drop()
