"""Run the tests of each project in a process of its own, with its own user model."""

from __future__ import annotations

from pathlib import Path

import django
import pytest

from tests.processes import run_project

HERE = Path(__file__).resolve().parent
# login() of Django 6.1 demands get_session_auth_hash() of every user model.
PLAIN = pytest.param(
    "settings_plain",
    "plain_*.py",
    marks=pytest.mark.skipif(
        django.VERSION >= (6, 1), reason="needs login() of Django 6.0 or earlier"
    ),
)


@pytest.mark.parametrize(("project", "files"), [("settings", "with_*.py"), PLAIN])
def test_tables(project, files):
    result = run_project(HERE, project, "-o", f"python_files={files}", HERE)
    if result.returncode:
        pytest.fail(result.stdout, pytrace=False)
