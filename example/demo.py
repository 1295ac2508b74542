"""
The demo: a database, a server and a story, then the site to try by hand.

The environment says how: ``PORT`` (8000; 0 is any free one), ``WSGI=1`` for gunicorn
instead of uvicorn, ``SERVE=0`` to end after the story.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import django
from django.contrib.auth import get_user_model
from django.core.management import call_command

from example.expect import Deviation
from example.server import serving
from example.story import PASSWORDS, play

HOST = "127.0.0.1"
TRY = """
Serving on {site} until Ctrl-C.

  user    password
{users}

Try this:
  1. Open {site}members/ and sign in as ada.
  2. Do the same in another browser, or in a private window.
  3. Reload the first. It says why it is signed out; "Use here instead" takes over.
  4. Sign in as grace anywhere: nobody but grace's own browsers is displaced.
"""


class Problem(Exception):
    """What the person at the keyboard is told, in place of a traceback."""


def main(settings: str = "example.settings") -> int:
    """Run the demo under ``settings``; return the exit status."""
    os.environ["DJANGO_SETTINGS_MODULE"] = settings
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit)
    try:
        with (
            _listen(os.environ.get("PORT") or "8000") as listener,
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


def _listen(port: str) -> socket.socket:
    if not port.isdecimal() or int(port) > 65535:
        raise Problem(f"PORT should be a number from 0 to 65535, not {port}.")
    try:
        return socket.create_server((HOST, int(port)))
    except OSError as error:
        raise Problem(
            f"Port {port} of {HOST} is not to be had: {error.strerror}. If an earlier "
            "demo still serves there, end it; or choose a port: make demo PORT=8001"
        ) from None


def _run(listener: socket.socket, directory: Path) -> None:
    wsgi = os.environ.get("WSGI") == "1"
    server_name = "gunicorn (WSGI)" if wsgi else "uvicorn (ASGI)"
    site = f"http://{HOST}:{listener.getsockname()[1]}/"
    _prepare(directory / "db.sqlite3")
    print(
        f"\nDjango {django.get_version()} on {server_name}, SQLite, at {site}\n",
        flush=True,
    )
    log = directory / "server.log"
    with serving(listener, log, wsgi=wsgi) as server:
        try:
            play(site)
        except (Deviation, LookupError, OSError, HTTPException) as error:
            raise Problem(
                f"Not as the story has it: {error}\n{log.read_text()}"
            ) from None
        print("\nEvery line above has been checked.")
        if os.environ.get("SERVE") != "0":
            users = [f"  {name:<7} {word}" for name, word in PASSWORDS.items()]
            print(TRY.format(site=site, users="\n".join(users)), flush=True)
            try:
                server.wait()
            except KeyboardInterrupt:
                print("\nEnded.")
            else:
                raise Problem(f"The server has ended by itself.\n{log.read_text()}")


def _prepare(database: Path) -> None:
    """Make the tables and the users, in a database of this run alone."""
    os.environ["EXAMPLE_DATABASE"] = str(database)
    django.setup()
    call_command("migrate", verbosity=0)
    for username, password in PASSWORDS.items():
        get_user_model().objects.create_user(username, password=password)
