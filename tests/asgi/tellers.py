"""Choose what tells the hub about endings: the bus, or the sweep."""

from __future__ import annotations

import pytest

from session_limit.asgi import hub


def sweep_alone(monkeypatch):
    monkeypatch.setattr(hub, "SWEEP", 0.05)
    monkeypatch.setattr("session_limit.bus.publish", lambda ids: None)


@pytest.fixture(params=["bus", "sweep"])
def told_by(request, monkeypatch):
    """Let only the bus, or only the sweep, tell the hub about endings."""
    if request.param == "bus":
        monkeypatch.setattr(hub, "SWEEP", 3600.0)
    else:
        sweep_alone(monkeypatch)
    return request.param


@pytest.fixture
def swept(monkeypatch):
    """Let only the sweep tell the hub about endings, and let it run often."""
    sweep_alone(monkeypatch)
