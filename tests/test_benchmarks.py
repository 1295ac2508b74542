"""The benchmarks, without measuring: contenders are complete, and figures are right."""

from __future__ import annotations

import random
from importlib import import_module

import pytest

from benchmarks import figures, summary
from benchmarks.__main__ import SUBJECTS
from benchmarks.contenders import BY_NAME, CONTROL, ENGINES, FIVE, MEASURED, OURS, PLAIN
from benchmarks.cost import PAGE
from benchmarks.environments import REQUIREMENTS
from benchmarks.project import settings as stock
from benchmarks.project.recording import kind_of

EVERY = BY_NAME.values()


@pytest.mark.parametrize("contender", EVERY, ids=lambda each: each.name)
def test_a_contender_changes_the_settings_of_a_stock_project(contender):
    for engine in contender.engines:
        settings = {
            "INSTALLED_APPS": [*stock.INSTALLED_APPS],
            "MIDDLEWARE": [*stock.MIDDLEWARE],
            "SESSION_ENGINE": ENGINES[engine],
        }
        before = repr(settings)
        contender.configure(settings)
        assert (repr(settings) == before) == (contender in {PLAIN, CONTROL})
        for name in contender.instead:
            assert name in before


@pytest.mark.parametrize("contender", EVERY, ids=lambda each: each.name)
def test_a_contender_has_an_environment_with_a_fixed_version(contender):
    requirements = REQUIREMENTS[contender.environment]
    assert requirements == contender.requirements
    assert all("==" in each for each in requirements[:1])


def test_a_contender_without_a_limit_ends_the_others_by_itself():
    for contender in MEASURED:
        ends_others = contender.after_sign_in is not PLAIN.after_sign_in
        assert ends_others == (contender.limit is None and contender is not PLAIN)


def test_the_page_names_every_version():
    text = PAGE.read_text()
    for contender in MEASURED:
        name, _, version = (contender.requirements or ("",))[0].partition("==")
        if name and contender is not OURS and contender is not FIVE:
            assert f") | {version} |" in text


def test_a_ratio_is_taken_within_a_round():
    """A machine that is ten times slower in one round changes nothing."""
    plain = [1.0, 10.0, 2.0, 1.0, 4.0]
    taken = [2.0, 20.0, 4.0, 2.0, 8.0]
    assert figures.ratio(taken, plain) == figures.Spread(2.0, 2.0, 2.0)
    assert figures.difference(plain, plain).median == 0


def test_a_spread_is_the_median_between_the_quartiles():
    values = [1.0, 2.0, 3.0, 4.0, 100.0]
    random.shuffle(values)
    assert figures.spread(values) == figures.Spread(3.0, 2.0, 4.0)
    assert f"{figures.spread(values):.1f}" == "3.0 (2.0-4.0)"
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


def test_a_target_that_was_missed_is_named():
    assert "too slow" in figures.verdict(["too slow"])
    assert "met" in figures.verdict([])


def test_a_table_has_a_line_for_each_row():
    text = figures.table(["", "b"], [["c", 1]])
    assert text.splitlines() == ["|  | b |", "| --- | --- |", "| c | 1 |"]


def test_figures_replace_their_block_of_a_page_alone(tmp_path):
    page = tmp_path / "page.md"
    block = "<!-- figures: {} -->\n\nold \\1\n\n<!-- end -->\n"
    page.write_text(f"before\n{block.format('one')}{block.format('two')}after\n")
    figures.publish(page, "two", "new \\1")
    assert figures.block(page, "one") == "old \\1"
    assert figures.block(page, "two") == "new \\1"
    assert page.read_text().startswith("before\n")
    assert page.read_text().endswith("<!-- end -->\nafter\n")
    with pytest.raises(ValueError, match="0 blocks"):
        figures.publish(page, "three", "")


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_subject_has_its_figures_on_a_page(name):
    subject = import_module(f"benchmarks.{name}")
    assert "Measured 20" in figures.block(subject.PAGE, subject.BLOCKS[0])
    for block in subject.BLOCKS:
        assert "| --- |" in figures.block(subject.PAGE, block)


def test_the_summaries_are_those_of_the_tables():
    """Run ``python -m benchmarks.summary`` after a change of the tables."""
    found = list(summary.columns())
    assert figures.block(PAGE, summary.BLOCK) == summary.whole(found)
    assert figures.block(summary.README, summary.BLOCK) == summary.short(found)


def test_a_summary_says_where_this_package_wins_and_where_not():
    won = summary.Column("page", values={"session-limit": 0.4, "tutorial": 1.7})
    lost = summary.Column("sign-in", values={"session-limit": 2.0, "tutorial": 1.1})
    text = summary.verdict([won, lost])
    assert "**Lower than every other package:** page (0.40" in text
    assert "**Not lower:** sign-in (2.00; tutorial: 1.10)" in text


def test_a_package_that_does_not_run_has_no_figure():
    text = "### a\n\n|  | x |\n| --- | --- |\n| one | 1.5 (1-2) |\n| two | `error` |\n"
    assert summary.rows(text, "a")[1] == {"": "two", "x": "`error`"}
    assert summary.rows(text, "b") == []
    assert summary.median("1.5 (1-2)") == 1.5
    assert summary.median("`error`") is None
