"""
The demo: a database, a server and a story, then the site to try by hand.

The environment says how: ``PORT`` (8000; 0 is any free one), ``WSGI=1`` for gunicorn
instead of uvicorn, ``SERVE=0`` to end after the story.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import django
from django.contrib.auth import get_user_model
from django.core.management import call_command

from example.server import serving
from example.story import USERS, Deviation, play

HOST = "127.0.0.1"
TRY = """
Serving on {site}  (Ctrl-C ends it)

  user    password
  {users}

Try:
  1. Open {site}members/ and sign in as ada.
  2. Do the same in another browser, or in a private window.
  3. Reload the first: it says why it is signed out, and offers "Use here instead".
     Anybody signed in as grace is not disturbed.
"""


class CannotStart(Exception):
    """Something on this machine is in the way."""


def main() -> int:
    """Run the demo; return the exit status."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        listener = _listen(os.environ.get("PORT") or "8000")
        with listener, TemporaryDirectory(prefix="session-limit-demo-") as directory:
            _prepare(Path(directory) / "db.sqlite3")
            return _run(listener, Path(directory) / "server.log")
    except CannotStart as problem:
        print(f"The demo cannot start: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nEnded.")
        return 0


def _stop(number: int, frame: object) -> NoReturn:
    sys.exit(128 + number)


def _listen(port: str) -> socket.socket:
    try:
        return socket.create_server((HOST, int(port)))
    except (ValueError, OverflowError):
        raise CannotStart(f"PORT must be a number up to 65535, not {port}.") from None
    except OSError as error:
        raise CannotStart(
            f"port {port} of {HOST} is not to be had ({error.strerror}). Perhaps an "
            "earlier demo still runs there. Take another port: make demo PORT=8001"
        ) from None


def _prepare(database: Path) -> None:
    """Make the tables and the users in a database that no earlier run has touched."""
    os.environ["EXAMPLE_DATABASE"] = str(database)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example.settings")
    django.setup()
    call_command("migrate", verbosity=0)
    for username, password in USERS.items():
        get_user_model().objects.create_user(username, password=password)


def _run(listener: socket.socket, log: Path) -> int:
    wsgi = os.environ.get("WSGI") == "1"
    site = "http://{}:{}/".format(*listener.getsockname())
    print(
        f"django-session-limit on Django {django.get_version()}, "
        f"{'gunicorn (WSGI)' if wsgi else 'uvicorn (ASGI)'}, SQLite, {site}\n"
    )
    with serving(listener, log, wsgi=wsgi) as server:
        try:
            play(site)
        except (Deviation, OSError) as problem:
            print(f"\nThe story went otherwise: {problem}", file=sys.stderr)
            _print_log(log)
            return 1
        print("\nEvery line above has been checked.")
        if os.environ.get("SERVE") == "0":
            return 0
        users = [f"{name:<7} {password}" for name, password in USERS.items()]
        print(TRY.format(site=site, users="\n  ".join(users)), flush=True)
        return _wait(server)
...
