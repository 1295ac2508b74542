"""The breakages fit the source as it is, and the harness finds what is wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.mutants.breakages import MUTANTS
from tests.mutants.mutant import ROOT, Mutant, try_mutant, try_unchanged


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_it_is_not_stale(mutant):
    assert mutant.text()
    tests = (ROOT / "tests" / f"{mutant.tests}.py").read_text()
    assert f"def {mutant.test}(" in tests


def test_each_has_a_name_of_its_own():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


# Its test needs no database.
NOTICED = Mutant(
    "whoever came last goes first",
    "policy/decisions.py",
    old="sorted(live, key=_by_sign_in if is_by_age else _by_activity)",
    new="sorted(live, key=_by_sign_in if is_by_age else _by_activity, reverse=True)",
    tests="test_policy",
    test="test_sessions_go_in_the_order_that_was_chosen",
)


def test_a_mutant_that_is_noticed():
    verdict = try_mutant(NOTICED, "mutants")
    assert verdict.ok
    assert NOTICED.node in verdict.reason


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        ("sorted([*live], key=_by_sign_in if is_by_age else _by_activity)", "SURVIVED"),
        (
            "sorted(living, key=_by_sign_in if is_by_age else _by_activity)",
            "broken itself",
        ),
        ("sorted(live, key=", "was never closed"),
    ],
)
def test_a_mutant_that_proves_nothing(new, reason):
    verdict = try_mutant(replace(NOTICED, new=new), "mutants")
    assert not verdict.ok
    assert reason in verdict.reason


@pytest.mark.parametrize("old", ["no such line", "    return "])
def test_a_mutant_that_is_stale(old):
    verdict = try_mutant(replace(NOTICED, old=old), "mutants")
    assert not verdict.ok
    assert "stale" in verdict.reason


def test_a_test_that_is_skipped_is_none():
    node = "tests/interleavings/test_locks.py::test_a_snapshot_that_is_too_old"
    verdict = try_unchanged([NOTICED.node, node], "sqlite", "mutants")
    assert not verdict.ok
    assert "skipped" in verdict.reason
