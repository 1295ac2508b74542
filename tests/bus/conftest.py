import uuid

import pytest

from session_limit import bus
from session_limit.bus.publisher import Publisher


@pytest.fixture(autouse=True)
def publisher(monkeypatch):
    """Use a fresh publisher, which has seen no failure yet."""
    monkeypatch.setattr(bus, "_publisher", Publisher())


@pytest.fixture
def channel():
    """Return the name of a channel that no other test run uses."""
    return f"test_{uuid.uuid4().hex}"
