"""
A browser hammers through several server processes while another signs in: what has
ended stays ended, and who was admitted stays. And the harness finds it where it is not
so. ``make finality`` does this for longer, and on more engines.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.truth.deployment import CIRCUMSTANCES, Circumstances, Subject
from benchmarks.truth.results import UnderLoad
from benchmarks.truth.runner import Found, Plan, signing_in, under_load
from tests.cap.databases import database
from tests.mutants.breakages import MUTANTS
from tests.mutants.mutant import PACKAGE, SOURCE

DEFAULT, SAVING, ATOMIC, ROTATING = CIRCUMSTANCES
PLAN = Plan(trials=12, rounds=((8, 2),), held=1)

[FORGETFUL] = [m for m in MUTANTS if m.name == "a process remembers what was live"]


@contextmanager
def subject(
    contender: str, engine: str, kind: str = "sqlite", **variables: str
) -> Iterator[Subject]:
    with database(kind) as opened:
        yield Subject(contender, engine, kind, opened, variables=variables)


def hammered(of: Subject, circumstances: Circumstances) -> tuple[UnderLoad, Found]:
    [found] = under_load(of, PLAN, [circumstances])
    assert isinstance(found.row, UnderLoad)
    return found.row, found


def services(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.services(*names)


@pytest.mark.parametrize(
    ("engine", "kind", "circumstances"),
    [
        ("file", "sqlite", ATOMIC),
        ("signed_cookies", "sqlite", ROTATING),
        pytest.param("cache_redis", "sqlite", DEFAULT, marks=services("redis")),
        pytest.param("cached_db", "sqlite", SAVING, marks=services("redis")),
        pytest.param("db", "postgresql", ATOMIC, marks=services("postgresql")),
        pytest.param("db", "mariadb", ROTATING, marks=services("mariadb")),
    ],
    ids=lambda each: getattr(each, "name", each),
)
def test_finality(engine: str, kind: str, circumstances: Circumstances) -> None:
    with subject("session-limit", engine, kind) as ours:
        row, found = hammered(ours, circumstances)
    assert not row.is_bad, f"{row}\n{found.examples}\n{found.log}"
    # The loser was busy when it lost.
    assert row.under_way >= row.trials


def test_sign_ins_at_once_and_changes_in_flight() -> None:
    with subject("session-limit", "db") as ours:
        for found in signing_in(ours, PLAN):
            assert not found.row.is_bad, f"{found.examples}\n{found.log}"


def test_a_package_that_caches_who_is_live_is_found_out(tmp_path: Path) -> None:
    # Nothing else stands between an ended session and its return on this engine: what
    # others have stored is deleted, too.
    engine = "signed_cookies"
    source = tmp_path / "src"
    shutil.copytree(SOURCE, source)
    (source / PACKAGE / FORGETFUL.file).write_text(FORGETFUL.text())
    with subject("session-limit", engine, PYTHONPATH=str(source)) as broken:
        row, _ = hammered(broken, DEFAULT)
        found = list(signing_in(broken, PLAN))
    # If the process that answers had not seen it live, it stays ended. That is up to
    # chance, and about every other one.
    assert row.came_back_later > row.trials / 4
    assert any(each.row.is_bad for each in found)


def test_the_recipe_is_found_out() -> None:
    """It answers errors, and the loser ends the winner."""
    with subject("tutorial", "db") as recipe:
        row, _ = hammered(recipe, ROTATING)
    assert row.winner_ended
    assert row.errors.server_errors


def test_without_any_package_the_loser_goes_on() -> None:
    with subject("plain", "db") as plain:
        row, _ = hammered(plain, DEFAULT)
    # Where it had not just signed out.
    assert row.came_back_later > row.trials / 2
