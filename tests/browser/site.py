"""Serve the example site in processes of its own, from a database of its own."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sqlite3
import subprocess
import sys

from example.server import ROOT, serving

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.browser.settings"}
PREPARE = """
import sys
from example.demo import prepare
prepare(sys.argv[1])
"""


def prepare(database):
    """Make the demo's database, from which every site starts."""
    subprocess.run(
        [sys.executable, "-c", PREPARE, database],
        cwd=ROOT,
        env=os.environ | SETTINGS,
        check=True,
    )


class Site:
    def __init__(self, url, database, template):
        self.url = url
        self.database = database
        # The process that serves the site, and starts others.
        self.server = None
        self._template = template

    def restore(self):
        """Reset the site's database to its initial state."""
        # The server holds connections to the file, so the file cannot be replaced.
        with (
            contextlib.closing(sqlite3.connect(self._template)) as template,
            contextlib.closing(sqlite3.connect(self.database, timeout=20)) as database,
        ):
            template.backup(database)

    def sql(self, statement, *parameters):
        """Execute a statement on the site's database, and return its rows."""
        connection = sqlite3.connect(self.database, timeout=20)
        with contextlib.closing(connection), connection:
            return connection.execute(statement, parameters).fetchall()


@contextlib.contextmanager
def served(directory, template, *, wsgi=False, **settings):
    """Serve the site with these settings, and fail if the server logs an error."""
    database = directory / "db.sqlite3"
    environment = {
        **SETTINGS,
        "EXAMPLE_DATABASE": str(database),
        "SITE_SETTINGS": json.dumps(settings),
    }
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    site = Site(url, database, template)
    site.restore()
    log = directory / "server.log"
    with serving(listener, log, wsgi=wsgi, environment=environment) as site.server:
        yield site
    errors = log.read_text()
    assert "Traceback" not in errors, errors
