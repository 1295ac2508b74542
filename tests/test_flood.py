"""Run the benchmark of a flood on a small scale, to see that it measures it."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks import flood
from benchmarks.contenders import OURS
from benchmarks.gateway import PATH
from benchmarks.servers import database, people, serving

pytestmark = pytest.mark.services("postgresql", "servers")


def test_a_signed_in_user_is_answered_in_a_flood(monkeypatch):
    monkeypatch.setattr(flood, "BEFORE", 0.2)
    monkeypatch.setattr(flood, "AT_ONCE", 20)
    with database(owner="flood_test") as on:
        [person] = people(1, on)
        with serving(on, OURS, pool="0") as server:
            flooded = flood.flooded(server.port, PATH, person.key, 5, 2)
            rate, alone, median, longest = asyncio.run(flooded)
            events = flood.STREAMS["the event stream"]
            abandoned = flood.abandoned(server.port, events, person.key, 40)
            before, after = asyncio.run(abandoned)
    assert rate > 0
    assert alone > 0
    assert 0 < median <= longest
    assert min(before, after) > 0
