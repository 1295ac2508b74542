from __future__ import annotations

import threading

import pytest
from django.db import connection, connections

from tests.asgi.conftest import (  # noqa: F401 fixtures
    ada,
    bob,
    laptop,
    nobody_tells,
    phone,
    project,
    swept,
    time,
    told_by,
)
from tests.bus.conftest import channel  # noqa: F401 a fixture
from tests.committing import commit_all
from tests.faults.proxy import Proxy


def pytest_collection_modifyitems(items):
    commit_all(items, __file__)


@pytest.fixture
def network(monkeypatch):
    """
    Return a proxy between the threads of the hub and the database.

    Other threads, such as those that serve the requests of a test, connect directly.
    """
    settings, wrapper = connection.settings_dict, type(connections["default"])
    real = wrapper.get_connection_params

    def through_proxy(self):
        parameters = real(self)
        if threading.current_thread().name == "session-limit":
            parameters |= {"host": "127.0.0.1", "port": proxy.port}
        return parameters

    with Proxy(settings["HOST"], int(settings["PORT"])) as proxy:
        monkeypatch.setattr(wrapper, "get_connection_params", through_proxy)
        yield proxy
