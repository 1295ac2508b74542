from __future__ import annotations

from functools import partial

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, connections

from tests.interleavings import gates
from tests.interleavings.browsers import Tab


@pytest.fixture(scope="package", autouse=settings.ENGINE != "db")
def stopping_engine():
    with pytest.MonkeyPatch.context() as patch:
        gates.make_stops(patch)
        yield


@pytest.fixture
def ada():
    return get_user_model().objects.create_user(username="ada", password="pw")


@pytest.fixture
def bob():
    return get_user_model().objects.create_user(username="bob", password="pw")


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def browser(request):
    """Return a function that opens a browser. The test runs sync and async."""
    return partial(Tab, asynchronous=request.param)


@pytest.fixture
def atomic_requests(monkeypatch):
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)


@pytest.fixture
def options(monkeypatch):
    """
    Return a function that sets the database's ``OPTIONS`` and closes the connection.
    """

    def set_options(**changes):
        database = connections.settings["default"]
        changed = {**database.get("OPTIONS", {}), **changes}
        monkeypatch.setitem(database, "OPTIONS", changed)
        connection.close()

    yield set_options
    connection.close()


@pytest.fixture
def repeatable_read(options):
    if settings.DB == "postgresql":
        from psycopg import IsolationLevel

        options(isolation_level=IsolationLevel.REPEATABLE_READ)
    else:
        options(isolation_level="repeatable read")
