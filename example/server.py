"""Serve the example site with uvicorn or gunicorn, in separate processes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Two workers are the default, so that the story cannot pass by relying on data in the
# memory of one process.
ASGI = """
    -m uvicorn example.asgi:application --fd {fd} --workers {workers}
    --log-level warning --timeout-graceful-shutdown 2
"""
WSGI = """
    -m gunicorn example.wsgi:application --bind fd://{fd} --workers {workers}
    --threads 4 --log-level warning --graceful-timeout 2 --no-control-socket
"""


@contextlib.contextmanager
def serving(
    listener: socket.socket,
    log: Path,
    *,
    wsgi: bool,
    workers: int = 2,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """
    Serve the example site on the socket ``listener``, and yield the server's main
    process.

    The server writes its output to the file ``log``. ``environment`` is added to its
    environment variables. On exit, all processes of the server are ended.

    The server inherits the open socket instead of a port number, so that no other
    program can take the port meanwhile. Requests that arrive before the server is ready
    wait in the socket's queue.
    """
    command = (WSGI if wsgi else ASGI).format(fd=listener.fileno(), workers=workers)
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, *command.split()],
            cwd=ROOT,
            env=os.environ | dict(environment or {}),
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
    listener.close()
    try:
        yield server
    finally:
        _end(server)


def _end(server: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(timeout=5)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()
