"""
Ended sessions stay ended under load, and the harness finds packages that fail at it.

``make finality`` does this for longer, and on more engines.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cap.databases import database
from tests.finality.deployment import CIRCUMSTANCES, Circumstances, Subject
from tests.finality.results import UnderLoad
from tests.finality.runner import Found, Plan, signing_in, under_load
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
    # The trials were difficult: the loser had requests under way.
    assert row.under_way >= row.trials


def test_sign_ins_at_once_and_changes_in_flight() -> None:
    with subject("session-limit", "db") as ours:
        for found in signing_in(ours, PLAN):
            assert not found.row.is_bad, f"{found.examples}\n{found.log}"


def test_a_package_that_caches_who_is_live_is_found_out(tmp_path: Path) -> None:
    # On other engines an ended session is also deleted from the store. On this one only
    # the registry keeps it from coming back.
    engine = "signed_cookies"
    source = tmp_path / "src"
    shutil.copytree(SOURCE, source)
    (source / PACKAGE / FORGETFUL.file).write_text(FORGETFUL.text())
    with subject("session-limit", engine, PYTHONPATH=str(source)) as broken:
        row, _ = hammered(broken, DEFAULT)
        found = list(signing_in(broken, PLAN))
    # A process that has not seen the session live rejects it. Chance decides which
    # process answers; about every other one has seen it.
    assert row.came_back_later > row.trials / 4
    assert any(each.row.is_bad for each in found)


def test_the_recipe_is_found_out() -> None:
    """The recipe answers with errors, and the loser ends the winner's session."""
    with subject("tutorial", "db") as recipe:
        row, _ = hammered(recipe, ROTATING)
    assert row.winner_ended
    assert row.errors.server_errors


def test_without_any_package_the_loser_goes_on() -> None:
    with subject("plain", "db") as plain:
        row, _ = hammered(plain, DEFAULT)
    # In the other trials the loser had just signed out.
    assert row.came_back_later > row.trials / 2
