"""Find programs and libraries that Debian does not put on the path."""

from __future__ import annotations

from pathlib import Path

GALERA_PROVIDER = Path("/usr/lib/galera/libgalera_smm.so")


def _newest(directory):
    versions = [each for each in directory.glob("*") if each.name.isdecimal()]
    return max(versions, key=lambda each: int(each.name), default=directory)


POSTGRESQL_PROGRAMS = _newest(Path("/usr/lib/postgresql")) / "bin"
