"""What decides whether another library's tests hold with the package (make compat)."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

import session_limit
from tests.documentation.pages import ROOT

WHY = {"modes": ["None"], "tests": ["b"], "shows": "limit", "why": "It is right."}

SETTINGS = """
SECRET_KEY = "a"
INSTALLED_APPS = [
    "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"
]
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3"}}
ROOT_URLCONF = "tests"
"""
TESTS = """
from django.conf import settings
from django.test import TestCase
from django.urls import reverse

urlpatterns = []

class Tests(TestCase):
    def test_that_passes(self):
        pass

    def test_that_fails(self):
        self.fail("always")

    def test_that_nothing_is_installed(self):
        self.assertNotIn("session_limit", settings.INSTALLED_APPS)

    def test_that_there_is_no_limit(self):
        self.assertIsNone(getattr(settings, "SESSION_LIMIT", None))

    def test_that_no_urls_are_included(self):
        with self.assertRaisesMessage(Exception, "not a registered namespace"):
            reverse("session_limit:list")
"""


@pytest.fixture
def runs(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts" / "compat")
    import runs

    yield runs
    for name in ("libraries", "runs", "sources"):
        del sys.modules[name]


@pytest.fixture
def library(runs, monkeypatch, tmp_path):
    """A library whose tests notice the package."""
    (tmp_path / "project.py").write_text(SETTINGS)
    (tmp_path / "tests.py").write_text(TESTS)
    monkeypatch.setattr(runs, "CACHE", tmp_path)
    monkeypatch.setattr(runs, "source", lambda library: tmp_path)
    return runs.Library(
        # A distribution in the lock, without explained differences.
        name="pytest/a",
        run=["-m", "django", "test", "--settings=project"],
        passes=4,
        covers="",
        set="",
        # The package that these tests test.
        path=[f"{Path(session_limit.__file__).parents[1]}"],
    )


@pytest.mark.parametrize(
    ("was", "now", "explained", "objection"),
    [
        ({"a": "passed"}, {"a": "passed"}, {}, None),
        ({"a": "failed"}, {"a": "failed"}, {}, None),
        ({"b": "passed"}, {"b": "failed"}, {"b": WHY}, None),
        ({"a": "passed"}, {"a": "failed"}, {}, "a: was passed, is failed"),
        ({"a": "failed"}, {"a": "error"}, {}, "a: was failed, is error"),
        ({"a": "passed"}, {}, {}, "a: was passed, is not run"),
        ({}, {"a": "passed"}, {}, "a: was not run, is passed"),
        ({"b": "passed"}, {"b": "passed"}, {"b": WHY}, "b: explained, but passed"),
        ({}, {}, {"b": WHY}, "b: explained, but not run"),
        ({"b": "passed"}, {"b": "error"}, {"b": WHY}, "b: does not show 'limit'"),
    ],
)
def test_each_difference_needs_its_explanation(runs, was, now, explained, objection):
    message = {"failed": "the limit", "error": "another text"}
    before, after = (
        {test: (outcome, message.get(outcome, "")) for test, outcome in each.items()}
        for each in (was, now)
    )
    objections = runs.compare(before, after, explained)
    assert len(objections) == (objection is not None)
    assert objection is None or objections[0].startswith(objection)


def test_what_the_package_changes_is_found_in_each_mode(runs, library):
    objections = runs.judge(library, ["None", "1"])
    found = [
        text.partition(": was ")[0].replace("tests.Tests.", "") for text in objections
    ]
    assert found == [
        "pytest/a, None: test_that_no_urls_are_included",
        "pytest/a, None: test_that_nothing_is_installed",
        "pytest/a, 1: test_that_no_urls_are_included",
        "pytest/a, 1: test_that_nothing_is_installed",
        "pytest/a, 1: test_that_there_is_no_limit",
    ]


def test_pytest_and_unittest_give_the_same_outcomes(runs, library):
    pytest_library = replace(
        library, run=["-m", "pytest", "-q", "--ds=project", "tests.py"]
    )
    by_unittest = runs.run(library, "1")
    by_pytest = runs.run(pytest_library, "1")
    assert [outcome for _, (outcome, _) in sorted(by_unittest.items())] == [
        outcome for _, (outcome, _) in sorted(by_pytest.items())
    ]


@pytest.mark.parametrize(
    ("run", "objection"),
    [
        (["-c", "pass"], "the tests did not run"),
        (["-m", "django", "test", "--settings=project", "-k", "is"], "2 passed, but 4"),
    ],
)
def test_a_run_with_too_few_tests_fails(runs, library, run, objection):
    (found,) = runs.judge(replace(library, run=run), ["None"])
    assert objection in found


def test_a_run_fails_if_the_package_was_not_installed(runs, library):
    code = "import os; open(os.environ['COMPAT_OUTCOMES'], 'w').write('{}')"
    without_django = replace(library, run=["-c", code], passes=0)
    assert runs.judge(without_django, ["None"]) == [
        "pytest/a, None: the package was installed in the wrong mode"
    ]


def test_every_entry_has_a_version_and_every_explanation_an_entry(runs):
    entries = {entry.name: entry for entry in sys.modules["libraries"].libraries()}
    for entry in entries.values():
        assert entry.version
        assert not entry.repository or entry.version in entry.commits
    for distribution, explained in runs.differences().items():
        assert distribution in {entry.distribution for entry in entries.values()}
        for difference in explained:
            assert {*difference.get("only", [])} <= entries.keys()
            assert {*difference["modes"]} <= runs.MODES.keys() - {"plain"}
