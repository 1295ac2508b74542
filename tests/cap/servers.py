"""Serve a project, by default the cap's, with several processes and threads."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cap.databases import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROCESSES = 4
# Enough for fifty simultaneous requests over all processes.
THREADS = 13

PROJECT = "tests.cap.project"


def command(kind: str, project: str, processes: int) -> list[str]:
    """Return the command that serves ``project`` on a free port."""
    if kind == "wsgi":
        return [
            "gunicorn",
            f"{project}.wsgi",
            "--bind=127.0.0.1:0",
            "--worker-class=gthread",
            f"--workers={processes}",
            f"--threads={THREADS}",
            "--preload",
            "--no-control-socket",
        ]
    return [
        "uvicorn",
        f"{project}.asgi:application",
        "--host=127.0.0.1",
        "--port=0",
        f"--workers={processes}",
        "--lifespan=off",
        "--no-access-log",
        "--no-use-colors",
    ]


ADDRESS = re.compile(r"(?:Listening at:|running on) http://127\.0\.0\.1:(\d+)")
PROCESS = re.compile(r"(?:Booting worker with pid: |Started server process \[)(\d+)")
ERROR = re.compile(
    r"\b(?:ERROR|CRITICAL)\b|^Traceback|deadlock|database is locked", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, and the file that it logs to."""

    port: int
    log: Path
    process: subprocess.Popen[bytes]

    def errors(self) -> list[str]:
        """Return the lines of the log that report an error."""
        lines = self.log.read_text().splitlines()
        return [line for line in lines if ERROR.search(line)]


def environment(settings: Mapping[str, str], project: str = PROJECT) -> dict[str, str]:
    """Return the environment of a process that serves or migrates the project."""
    return {
        **os.environ,
        **settings,
        "DJANGO_SETTINGS_MODULE": f"{project}.settings",
    }


def _wait(process: subprocess.Popen[bytes], log: Path, processes: int) -> int:
    """Return the port, once every process is up."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        text = log.read_text()
        address = ADDRESS.search(text)
        if address and len(set(PROCESS.findall(text))) >= processes:
            return int(address[1])
        time.sleep(0.05)
    raise RuntimeError(f"The server did not start:\n{log.read_text()}")


@contextmanager
def serve(
    kind: str,
    settings: Mapping[str, str],
    *,
    project: str = PROJECT,
    processes: int = PROCESSES,
    python: str = sys.executable,
) -> Iterator[Server]:
    """Serve the project on a free port, with ``kind`` as "wsgi" or "asgi"."""
    with tempfile.TemporaryDirectory(prefix="session_limit_cap_") as directory:
        log = Path(directory) / "stderr"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [python, "-m", *command(kind, project, processes)],
                cwd=ROOT,
                env=environment(settings, project),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
            )
        try:
            yield Server(_wait(process, log, processes), log, process)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
