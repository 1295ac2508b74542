import uuid

import pytest

from session_limit import bus


@pytest.fixture(autouse=True)
def publisher(monkeypatch):
    """Use a fresh publisher, which has seen no failure yet."""
    monkeypatch.setattr(bus, "_publisher", bus._Publisher())


@pytest.fixture
def channel():
    """Return the name of a channel that no other test run uses."""
    return f"test_{uuid.uuid4().hex}"
