"""What a figure was measured on: it means nothing without."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.databases import connect
from benchmarks.environments import ROOT
from benchmarks.project.redis_url import REDIS_URL


def _output(*command: str | Path) -> str:
    try:
        finished = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return finished.stdout.strip()


def _processor() -> str:
    # Where there is no such file, the platform's own word has to do.
    file = Path("/proc/cpuinfo")
    text = file.read_text() if file.exists() else ""
    found = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()


def _servers() -> dict[str, str]:
    # Who only reads what was measured needs neither driver.
    import psycopg
    import redis

    versions = {}
    try:
        with connect("postgres") as connection:
            [version] = connection.execute("SHOW server_version").fetchone()
            versions["PostgreSQL"] = version.partition(" ")[0]
    except psycopg.OperationalError:
        versions["PostgreSQL"] = "none"
    try:
        versions["Redis"] = redis.Redis.from_url(REDIS_URL).info()["redis_version"]
    except redis.ConnectionError:
        versions["Redis"] = "none"
    return versions


def describe(command: str) -> dict[str, Any]:
    """Return when, on what and by which command something was measured."""
    import django

    return {
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "commit": _output("git", "rev-parse", "--short", "HEAD"),
        "changed": bool(_output("git", "status", "--porcelain", "--", "src")),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "system": _system(),
        "versions": {
            "Python": sys.version.split()[0],
            "Django": django.__version__,
            **_servers(),
        },
    }
