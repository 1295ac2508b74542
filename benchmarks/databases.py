"""Databases of our own: each is made empty, and dropped at the end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KINDS = ("sqlite", "postgresql")


@dataclass(frozen=True, slots=True)
class Database:
    kind: str
    name: str

    @property
    def environment(self) -> dict[str, str]:
        return {"BENCHMARKS_DATABASE": self.kind, "BENCHMARKS_NAME": self.name}


def connect(name: str) -> Any:
    """A connection, in autocommit, to PostgreSQL: found by libpq's variables."""
    import psycopg

    return psycopg.connect(
        host=os.environ.get("PGHOST", "127.0.0.1"),
        port=os.environ.get("PGPORT", "5432"),
        user=os.environ.get("PGUSER", "postgres"),
        password=os.environ.get("PGPASSWORD", ""),
        dbname=name,
        autocommit=True,
    )


def _administer(statement: str) -> None:
    with closing(connect("postgres")) as connection:
        connection.execute(statement)


@contextmanager
def database(kind: str, owner: str) -> Iterator[Database]:
    """A new, empty database for ``owner``, dropped whatever happens."""
    unique = f"sl_bench_{os.getpid()}_{owner.replace('-', '_')}"
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix=f"{unique}_") as directory:
            yield Database(kind, str(Path(directory) / "db.sqlite3"))
        return
    _administer(f"CREATE DATABASE {unique}")
    try:
        yield Database(kind, unique)
    finally:
        _administer(f"DROP DATABASE {unique} WITH (FORCE)")
