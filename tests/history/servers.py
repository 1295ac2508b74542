"""Run the server processes, each on a host and with a clock of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.history.network import Host
    from tests.history.proxy import Proxy

ROOT = Path(__file__).resolve().parents[2]
PORT = 8000
PATIENCE = 60
# The limits of sessions and of plays for an account without a limit of its own.
LIMIT, PLAYS = 2, 1


def environment(database: dict[str, Any], bus: dict[str, Any]) -> dict[str, str]:
    """Return the environment variables of a process that runs the project."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.history.project.settings",
        "HISTORY_DATABASE": json.dumps(database),
        "HISTORY_BUS": json.dumps(bus),
        "HISTORY_LIMIT": str(LIMIT),
        "HISTORY_PLAYS": str(PLAYS),
    }


class Server:
    """A server process that reaches the database and the broker through proxies."""

    def __init__(
        self,
        number: int,
        host: Host,
        directory: Path,
        environment: dict[str, str],
        database: Proxy,
        broker: Proxy | None,
    ) -> None:
        self.number = number
        self.host = host
        self.database = database
        self.broker = broker
        self.log = directory / f"server-{number}.log"
        self._clock = directory / f"clock-{number}"
        self._environment = {**environment, "HISTORY_CLOCK": str(self._clock)}
        self._process: subprocess.Popen[bytes] | None = None

    def set_clock(self, ahead: float) -> None:
        """Set the process's wall clock to ``ahead`` seconds ahead of the real time."""
        fresh = self._clock.with_suffix(".new")
        fresh.write_text(str(ahead))
        fresh.replace(self._clock)

    def begin(self) -> None:
        """Start the process without waiting until it answers."""
        command = [
            *(
                sys.executable,
                "-m",
                "uvicorn",
                "tests.history.project.asgi:application",
            ),
            *("--host", "0.0.0.0", "--port", str(PORT)),  # noqa: S104  its namespace
            *("--no-access-log", "--no-use-colors", "--log-level", "warning"),
            *("--ws", "websockets-sansio"),
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.host.command(*command),
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Wait until the server answers. Raises ``RuntimeError`` if it never does."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                url = f"http://{self.host.address}:{PORT}/who/"
                urllib.request.urlopen(url, timeout=5).close()
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.1)
            if self._process is not None and self._process.poll() is not None:
                break
        raise RuntimeError(
            f"Server {self.number} did not start:\n{self.log.read_text()}"
        )

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
