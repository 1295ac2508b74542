"""Migrate a contender's project, and serve it under WSGI and ASGI."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from tests.cap.databases import ROOT, Database
from tests.cap.servers import Server, environment, serve
from tests.finality.browsers import Door
from tests.finality.engines import ENGINES

PROJECT = "tests.finality.project"
# Each kind of server has two, so that requests of one session reach both.
PROCESSES = 2
SECRETS = ("one secret", "another secret")


class NotServedError(Exception):
    """Raised if a contender, or a server that it needs, does not run."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Settings of a project that affect sessions, apart from the engine."""

    name: str
    save_every_request: bool = False
    atomic_requests: bool = False
    # The secret key is being replaced. Each kind of server signs with one and accepts
    # the other, and rotates the key of a session that the other one signed.
    rotating_secrets: bool = False


CIRCUMSTANCES = [
    Circumstances("as by default"),
    Circumstances("SESSION_SAVE_EVERY_REQUEST", save_every_request=True),
    Circumstances("ATOMIC_REQUESTS", atomic_requests=True),
    Circumstances("SECRET_KEY_FALLBACKS", rotating_secrets=True),
]


@dataclass(frozen=True, slots=True)
class Subject:
    """A contender on an engine, and the database that it uses."""

    contender: str
    engine: str
    database: str
    opened: Database
    # The interpreter of the environment that has the contender, and more variables.
    python: str = sys.executable
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deployment:
    """The servers that are running."""

    servers: Sequence[Server]
    directory: Path

    @property
    def doors(self) -> list[Door]:
        wsgi, asgi = (server.port for server in self.servers)
        return [Door(wsgi, "sync"), Door(asgi, "async"), Door(asgi, "sync")]

    def create_people(self, count: int) -> list[str]:
        """Create accounts, and return their usernames."""
        return self._ask("POST", "/people/", {"count": str(count)})["people"]

    def credentials(self, username: str) -> str:
        """Return a string that tells which password the account has now."""
        return self._ask("GET", f"/people/{username}/")["credentials"]

    def _ask(
        self, method: str, path: str, form: Mapping[str, str] | None = None
    ) -> dict:
        connection = http.client.HTTPConnection("127.0.0.1", self.servers[0].port, 60)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request(method, path, urlencode(form or {}), headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        if response.status != 200:
            raise NotServedError(f"{path}: {response.status}\n{self.log()}")
        return json.loads(content)

    def log(self) -> str:
        return "\n".join(server.log.read_text() for server in self.servers)


@contextmanager
def memcached(directory: str) -> Iterator[None]:
    """Run memcached on a socket in ``directory``."""
    path = Path(directory) / "memcached.sock"
    program = shutil.which("memcached")
    if program is None:
        raise NotServedError("memcached is not installed.")
    # As root, memcached does not start without -u.
    process = subprocess.Popen([program, "-u", "root", "-s", str(path)])
    try:
        deadline = time.monotonic() + 10
        while not path.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise NotServedError("memcached did not start.")
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _variables(
    subject: Subject, circumstances: Circumstances, directory: str
) -> dict[str, str]:
    return {
        **subject.opened.environment(),
        **subject.variables,
        "FINALITY_CONTENDER": subject.contender,
        "FINALITY_ENGINE": subject.engine,
        "FINALITY_DIRECTORY": directory,
        "FINALITY_SAVE_EVERY_REQUEST": str(int(circumstances.save_every_request)),
        "FINALITY_ATOMIC_REQUESTS": str(int(circumstances.atomic_requests)),
    }


def _secrets(circumstances: Circumstances) -> dict[str, str]:
    """Return the secret key and its fallbacks, for each kind of server."""
    if circumstances.rotating_secrets:
        return {"wsgi": ",".join(SECRETS), "asgi": ",".join(reversed(SECRETS))}
    return dict.fromkeys(("wsgi", "asgi"), SECRETS[0])


def _migrate(subject: Subject, variables: Mapping[str, str]) -> None:
    finished = subprocess.run(
        [subject.python, "-m", "django", "migrate", "--verbosity=0"],
        cwd=ROOT,
        env=environment(variables, PROJECT),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if finished.returncode:
        raise NotServedError(finished.stdout)


@contextmanager
def deploy(subject: Subject, circumstances: Circumstances) -> Iterator[Deployment]:
    """Migrate and serve until the block ends."""
    with ExitStack() as stack:
        directory = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="session_limit_finality_")
        )
        variables = _variables(subject, circumstances, directory)
        if ENGINES[subject.engine].cache == "memcached":
            stack.enter_context(memcached(directory))
        kinds = {
            kind: {**variables, "FINALITY_SECRET_KEYS": secrets}
            for kind, secrets in _secrets(circumstances).items()
        }
        _migrate(subject, kinds["wsgi"])
        try:
            servers = [
                stack.enter_context(
                    serve(
                        kind,
                        each,
                        project=PROJECT,
                        processes=PROCESSES,
                        python=subject.python,
                    )
                )
                for kind, each in kinds.items()
            ]
        except RuntimeError as error:
            raise NotServedError(str(error)) from error
        yield Deployment(servers, Path(directory))
