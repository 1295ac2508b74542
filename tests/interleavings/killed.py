"""
Run a request in a process that is killed at a chosen statement.

The process is forked before it has opened any connection.
"""

from __future__ import annotations

import os
import signal

import django
from django.apps import apps
from django.db import connection, connections
from django.test import override_settings

if not apps.ready:
    django.setup()

from tests.interleavings.browsers import KEY, Tab  # needs the apps to be ready
from tests.interleavings.gates import plain


class Killed:
    """
    Kill this process before its statement or commit number ``point``.

    Sends that statement to ``writer`` first.
    """

    def __init__(self, point, writer):
        self.left = point
        self.writer = writer
        self.commit = connection.commit
        connection.commit = self.at_commit

    def __call__(self, execute, sql, params, many, context):
        self.reach(plain(sql))
        return execute(sql, params, many, context)

    def at_commit(self):
        self.reach("COMMIT")
        self.commit()

    def reach(self, place):
        if self.left == 0:
            self.writer.send(place)
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1


def run(point, writer, database, work, key, *args):
    """
    Call the function named ``work`` with a browser that presents this session key.

    ``database`` overrides the settings of the database. See ``Killed`` for ``point``
    and ``writer``.
    """
    connections.settings["default"].update(database)
    tab = Tab()
    if key is not None:
        tab.client.cookies[KEY] = key
    with (
        override_settings(ROOT_URLCONF="tests.interleavings.urls"),
        connection.execute_wrapper(Killed(point, writer)),
    ):
        globals()[work](tab, *args)
    connections.close_all()


def sign_in(tab, username):
    response = tab.post("/login/", {"username": username, "password": "pw"})
    assert response.status_code == 302


def rotate(tab):
    with override_settings(SECRET_KEY="newer", SECRET_KEY_FALLBACKS=["tests"]):
        tab.get("/whoami/")
