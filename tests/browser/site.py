"""The example site, served by processes of its own from a database of its own."""

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
    """Make the database that every site begins with: the demo's."""
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
        # The process that serves it, and starts others.
        self.server = None
        self._template = template

    def restore(self):
        """Begin again: what an earlier test left is gone."""
        # Not by copying the file: the server holds connections to it.
        with (
            contextlib.closing(sqlite3.connect(self._template)) as template,
            contextlib.closing(sqlite3.connect(self.database, timeout=20)) as database,
        ):
            template.backup(database)

    def sql(self, statement, *parameters):
        """Change what is stored, as time would."""
        connection = sqlite3.connect(self.database, timeout=20)
        with contextlib.closing(connection), connection:
            return connection.execute(statement, parameters).fetchall()


@contextlib.contextmanager
def served(directory, template, *, wsgi=False, **settings):
    """Serve the site with these of its settings; yield it."""
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
