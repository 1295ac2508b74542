"""The benchmark of the sweep, in miniature: it measures what it says."""

from __future__ import annotations

import pytest

from benchmarks.sweep import measure, row

pytestmark = pytest.mark.services("postgresql")


@pytest.mark.parametrize("plays", [False, True])
def test_endings_are_found_whatever_clocks_and_commits_do(plays):
    found = measure(3, plays, 1.0, 1, 2.0)
    # One statement a second, and with plays three.
    assert found["statements"] >= (3 if plays else 1)
    assert 0 <= found["soon"] < 10
    assert 0 <= found["late"] < 10
    assert row(found).startswith("| 3 | ")
