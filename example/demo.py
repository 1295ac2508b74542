"""
Run the demo: prepare a database, start a server, act out a story with simulated
browsers, and then serve the site for people to try.

These environment variables configure the demo:

- ``PORT``: the port to serve on. The default is 8000, and 0 means any free port.
- ``WSGI=1``: use gunicorn instead of uvicorn.
- ``WORKERS``: the number of server processes. The default is 2.
- ``BUS=redis``, ``BUS=postgres``: notify all server processes at once.
- ``SERVE=0``: stop after the story.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import django
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connections

from example.databases import postgresql, reach_redis
from example.expect import Deviation
from example.people import PASSWORDS
from example.server import serving
from example.story import play

HOST = "127.0.0.1"
ADMINISTRATOR, KEY = "harbormaster", "keeper-of-the-light"
TRY = """
Serving on {site} until Ctrl-C.

  user         password
{users}

Try this:
  1. Open {site}members/ and sign in as ada.
  2. Do the same in another browser, or in a private window.
  3. Reload the first. It says why it is signed out. "Use here instead" takes over.
  4. Open {site}live/ in one, sign in on the other, and watch the first stop.
  5. Sign in as grace anywhere. This displaces only grace's own browsers.
  6. Sign in as theo in three browsers, and open {site}live/ in each. Two of them play.
  7. Change ada's password in one browser, and reload another.
  8. Open {site}admin/ as harbormaster.
"""


class Problem(Exception):
    """A problem that the user can solve. Its message is printed without a traceback."""


def main(settings: str = "example.settings") -> int:
    """
    Run the demo with the settings module ``settings``, and return the exit status.
    """
    os.environ["DJANGO_SETTINGS_MODULE"] = settings
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit)
    try:
        with (
            _listen() as listener,
            TemporaryDirectory(prefix="session-limit-demo-") as directory,
        ):
            _run(listener, Path(directory))
    except Problem as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


def _exit(number: int, frame: object) -> NoReturn:
    sys.exit(128 + number)


def _number(name: str, default: str, *, most: int) -> int:
    value = os.environ.get(name) or default
    if not value.isdecimal() or int(value) > most:
        raise Problem(f"{name} should be a number from 0 to {most}, not {value}.")
    return int(value)


def _listen() -> socket.socket:
    port = _number("PORT", "8000", most=65535)
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise Problem(
            f"Cannot listen on port {port} of {HOST}: {error.strerror}. If an earlier "
            "demo is still running, stop it, or choose another port: make demo "
            "PORT=8001"
        ) from None


def _run(listener: socket.socket, directory: Path) -> None:
    wsgi = os.environ.get("WSGI") == "1"
    workers = _number("WORKERS", "2", most=64)
    server_name = "gunicorn (WSGI)" if wsgi else "uvicorn (ASGI)"
    site = f"http://{HOST}:{listener.getsockname()[1]}/"
    log = directory / "server.log"
    with (
        backing(os.environ.get("BUS", ""), directory / "db.sqlite3") as what,
        serving(listener, log, wsgi=wsgi, workers=workers) as server,
    ):
        print(
            f"\nDjango {django.get_version()} on {server_name}, {what}, at {site}\n",
            flush=True,
        )
        try:
            play(site, wsgi=wsgi)
        except (Deviation, LookupError, OSError, HTTPException) as error:
            raise Problem(
                f"The demo did not go as expected: {error}\n{log.read_text()}"
            ) from None
        print("\nEvery line above has been checked.")
        if os.environ.get("SERVE") != "0":
            known = PASSWORDS | {ADMINISTRATOR: KEY}
            users = [f"  {name:<12} {word}" for name, word in known.items()]
            print(TRY.format(site=site, users="\n".join(users)), flush=True)
            try:
                server.wait()
            except KeyboardInterrupt:
                print("\nStopped.")
            else:
                raise Problem(f"The server has stopped by itself.\n{log.read_text()}")


@contextlib.contextmanager
def backing(bus: str, database: Path) -> Iterator[str]:
    """
    Prepare the database and the message bus, and yield a description of them for
    people.

    ``bus`` is ``""``, ``"redis"`` or ``"postgres"``. ``database`` is the file to use
    for SQLite. Raises ``Problem`` if ``bus`` has another value or a server does not
    answer.
    """
    if bus not in {"", "redis", "postgres"}:
        raise Problem(f"BUS should be redis or postgres, not {bus}.")
    os.environ["EXAMPLE_BUS"] = bus
    try:
        if bus == "postgres":
            with postgresql() as name:
                prepare(name)
                yield "PostgreSQL"
                connections.close_all()
            return
        if bus == "redis":
            reach_redis()
    except (ImportError, OSError) as error:
        raise Problem(f"BUS={bus} is not available: {error}") from None
    prepare(str(database))
    yield f"SQLite{' and Redis' * bool(bus)}"


def prepare(database: str) -> None:
    """
    Create the demo's tables and users in an empty database.

    ``database`` is the SQLite file or the name of the PostgreSQL database, which only
    this run uses.
    """
    os.environ["EXAMPLE_DATABASE"] = database
    django.setup()
    call_command("migrate", verbosity=0)
    # Models can be imported only after django.setup().
    from session_limit.models import AccountLimit

    users = get_user_model().objects
    for username, password in PASSWORDS.items():
        user = users.create_user(username, password=password)
        if username == "theo":
            AccountLimit.objects.create(user=user, limit=5)
    users.create_superuser(ADMINISTRATOR, password=KEY)
