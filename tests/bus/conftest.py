import uuid

import pytest

from session_limit import bus


@pytest.fixture(autouse=True)
def publisher(monkeypatch):
    """A publisher that knows of no failure yet."""
    monkeypatch.setattr(bus, "_publisher", bus._Publisher())


@pytest.fixture
def channel():
    """A channel that no other run hears."""
    return f"test_{uuid.uuid4().hex}"
