"""Run the database servers of the checker."""

from __future__ import annotations

import contextlib
import importlib
import signal
from abc import abstractmethod
from typing import Any

from tests.history.services import Service, program

NAME = "history"


class Database(Service):
    """The server of the database that the project uses."""

    engine: str
    account: str
    # The module of the driver, which raises its Error while the server restarts.
    driver: str
    # An expression for the current time, which is later than the snapshot.
    clock: str

    @abstractmethod
    def connect(self, name: str = NAME) -> Any:
        """Return a connection in autocommit mode, which sees every commit."""

    @property
    def error(self) -> type[Exception]:
        """The exception class of the driver."""
        error: type[Exception] = importlib.import_module(self.driver).Error
        return error

    @abstractmethod
    def create(self) -> None:
        """Create the database. The server has to be running."""

    def ask(self) -> None:
        with contextlib.closing(self.connect(self.administrative)) as connection:
            connection.cursor().execute("SELECT 1")

    administrative: str

    def settings(self, host: str, port: int) -> dict[str, Any]:
        """Return ``DATABASES["default"]`` for a client that uses this address."""
        return {
            "ENGINE": f"django.db.backends.{self.engine}",
            "NAME": NAME,
            "USER": self.account,
            "HOST": host,
            "PORT": str(port),
            "OPTIONS": {"connect_timeout": 3},
        }


class PostgreSQL(Database):
    user = account = administrative = "postgres"
    engine = "postgresql"
    driver = "psycopg"
    port = 5432
    # "immediate": all backends exit at once, and the next start recovers.
    crash = signal.SIGQUIT
    clock = "clock_timestamp()"

    def make(self) -> None:
        data = str(self.directory / "data")
        self.run(program("initdb"), "-A", "trust", "-E", "UTF8", "-N", "-D", data)
        allowed = self.directory / "data" / "pg_hba.conf"
        allowed.write_text("host all all 0.0.0.0/0 trust\n")

    def command(self) -> list[str]:
        options = {
            "listen_addresses": "0.0.0.0",  # noqa: S104  within its own namespace
            "unix_socket_directories": "",
            "max_connections": "600",
            # A transaction that its client has lost gives up its locks.
            "idle_in_transaction_session_timeout": "5s",
        }
        flags = [f"-c{name}={value}" for name, value in options.items()]
        return [program("postgres"), "-D", str(self.directory / "data"), *flags]

    def connect(self, name: str = NAME) -> Any:
        import psycopg

        return psycopg.connect(
            host=self.host.address,
            user=self.account,
            dbname=name,
            autocommit=True,
            connect_timeout=3,
        )

    def create(self) -> None:
        with contextlib.closing(self.connect(self.administrative)) as connection:
            connection.cursor().execute(f"CREATE DATABASE {NAME}")


class MariaDB(Database):
    user = "mysql"
    account = "history"
    administrative = "information_schema"
    engine = "mysql"
    driver = "MySQLdb"
    port = 3306
    # NOW() would be the time at which the statement began, before its snapshot.
    clock = "SYSDATE(6)"

    def make(self) -> None:
        self.run(
            program("mariadb-install-db"),
            "--no-defaults",
            f"--datadir={self.directory / 'data'}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        )
        accounts = self.directory / "accounts.sql"
        accounts.write_text(
            "CREATE USER IF NOT EXISTS 'history'@'%';"
            "\nGRANT ALL ON *.* TO 'history'@'%';\n"
        )

    def command(self) -> list[str]:
        return [
            program("mariadbd"),
            "--no-defaults",
            f"--datadir={self.directory / 'data'}",
            f"--socket={self.directory / 'socket'}",
            f"--pid-file={self.directory / 'pid'}",
            f"--init-file={self.directory / 'accounts.sql'}",
            "--bind-address=0.0.0.0",
            "--skip-name-resolve",
            "--default-time-zone=+00:00",
            "--max-connections=600",
            # A transaction that its client has lost gives up its locks.
            "--idle-transaction-timeout=5",
            "--innodb-buffer-pool-size=64M",
        ]

    def connect(self, name: str = NAME) -> Any:
        import MySQLdb

        return MySQLdb.connect(
            host=self.host.address,
            user=self.account,
            database=name,
            autocommit=True,
            connect_timeout=3,
        )

    def create(self) -> None:
        with contextlib.closing(self.connect(self.administrative)) as connection:
            connection.cursor().execute(f"CREATE DATABASE {NAME} CHARACTER SET utf8mb4")
