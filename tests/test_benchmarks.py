"""
The benchmarks, without measuring anything.

The contenders are complete, figures are computed correctly, and the page shows what was
measured.
"""

from __future__ import annotations

import random
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import contenders, environments, figures, results
from benchmarks.contenders.base import ENGINES
from benchmarks.project.counting import kind_of
from benchmarks.report import page, svg, tables, targets
from benchmarks.report.contenders import version

EVERY = [*contenders.ALL.values(), contenders.CONTROL, contenders.FLOOR]
LOCKS = sorted(Path(environments.ROOT, "benchmarks", "requirements").glob("*.txt"))


def stock_settings():
    return {
        "INSTALLED_APPS": ["django.contrib.auth", "django.contrib.sessions"],
        "MIDDLEWARE": [
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
    }


@pytest.mark.parametrize("contender", EVERY, ids=lambda each: each.name)
def test_a_contender_changes_the_settings_of_a_stock_project(contender):
    changes_nothing = {"plain", "control"}
    assert contenders.get(contender.name) == contender
    assert contender.engines
    for engine in contender.engines:
        settings = {**stock_settings(), "SESSION_ENGINE": ENGINES[engine]}
        before = repr(settings)
        contender.configure(settings)
        assert (repr(settings) == before) == (contender.name in changes_nothing)


@pytest.mark.parametrize("contender", EVERY, ids=lambda each: each.name)
def test_a_contender_is_locked_with_hashes(contender):
    text = environments.lock_file(contender).read_text()
    assert "--hash=sha256:" in text
    assert "django==5.2." in text
    if contender.requirement and contender.environment != "session-limit":
        assert version(contender)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_names_no_index(lock):
    assert lock.with_suffix(".in").exists()
    assert "index-url" not in lock.read_text()
    assert "://" not in lock.read_text()


def test_what_ends_nothing_by_itself_is_told_what_to_do():
    """
    Each contender but plain Django either limits sessions by itself or ends the others
    after a sign-in.
    """
    for contender in contenders.ALL.values():
        if contender is contenders.PLAIN:
            continue
        ends_others = contender.after_sign_in is not contenders.PLAIN.after_sign_in
        assert contender.limits != ends_others, contender.name


def test_a_ratio_is_taken_within_a_round():
    """A machine that is ten times slower in one round does not change the ratio."""
    plain = [1.0, 10.0, 2.0, 1.0, 4.0]
    taken = [2.0, 20.0, 4.0, 2.0, 8.0]
    assert figures.ratio(taken, plain) == figures.Spread(2.0, 2.0, 2.0, 5)
    assert figures.ratio(plain, plain).median == 1


def test_a_spread_is_the_median_between_the_quartiles():
    values = [1.0, 2.0, 3.0, 4.0, 100.0]
    random.shuffle(values)
    assert figures.spread(values) == figures.Spread(3.0, 2.0, 4.0, 5)
    assert figures.difference(values, values).high == 0
    assert figures.percentile(list(map(float, range(101))), 90) == 90


def test_rounds_that_do_not_match_are_an_error():
    with pytest.raises(ValueError, match="zip"):
        figures.ratio([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("SELECT 1", "reads"),
        ("(SELECT 1) UNION (SELECT 2)", "reads"),
        ("INSERT INTO x VALUES (1)", "writes"),
        ("UPDATE x SET y = 1", "writes"),
        ("SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "others"),
        ("BEGIN", None),
        ('SAVEPOINT "s1"', None),
    ],
)
def test_statements_are_counted_by_what_they_do(statement, kind):
    assert kind_of(statement) == kind


def cost_of(ratio, statements):
    spread = {"median": ratio, "low": ratio, "high": ratio, "count": 1}
    where = {"database": "sqlite", "engine": "db", "server": "wsgi", "page": "member"}
    plain = {**where, "contender": "plain", "statements": {"reads": 2}}
    ours = {**where, "contender": "session-limit", "statements": statements}
    return {"figures": [plain, {**ours, "cpu_ratio": spread}], "starts": []}


@pytest.mark.parametrize(
    ("ratio", "reads", "verdict"),
    [(0.9, 2, "| hit |"), (0.96, 2, "**missed**"), (0.9, 3, "**missed**")],
)
def test_a_target_that_is_missed_is_said_to_be(ratio, reads, verdict):
    text = targets.markdown(cost_of(ratio, {"reads": reads}), None)
    assert verdict in text.splitlines()[-1]


def test_nothing_measured_is_no_page_that_fails():
    nothing = dict.fromkeys(("cost", "signin", "profile"))
    assert "# Benchmarks" in page.render(nothing)
    assert page.plots(nothing) == {}


def test_the_documentation_shows_what_was_measured_last():
    measured = {name: results.load(name) for name in ("cost", "signin", "profile")}
    assert page.PAGE.read_text() == page.render(measured)
    drawings = page.plots(measured)
    assert drawings
    for name, drawing in drawings.items():
        ET.fromstring(drawing)  # noqa: S314 drawn here
        assert (page.PAGE.with_suffix("") / f"{name}.svg").read_text() == drawing


def test_a_drawing_escapes_what_it_is_told():
    drawn = svg.bars("<a & b>", "", [svg.Bar("<c>", 1, 1, 1, "&")], 1)
    assert "<c>" not in drawn
    ET.fromstring(drawn)  # noqa: S314 drawn here


def test_a_result_is_kept_as_it_was(tmp_path):
    spread = figures.spread([1.0, 2.0, 3.0])
    results.save("one", {"figure": spread, "long": 1.23456789}, tmp_path)
    assert results.load("one", tmp_path) == {
        "figure": {"median": 2.0, "low": 1.5, "high": 2.5, "count": 3},
        "long": 1.235,
    }
    assert results.load("none", tmp_path) is None


def test_a_table_has_a_line_for_each_row():
    text = tables.table(["", "b"], [["c", 1]])
    assert text.splitlines() == ["|  | b |", "| --- | --- |", "| c | 1 |"]
