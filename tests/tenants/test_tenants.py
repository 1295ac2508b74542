"""
Run the tests of projects with tenants, in a process for each project.

To run one by hand::

    python -m pytest --ds tests.tenants.settings_routed tests/tenants/with_tenants.py
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.processes import run_project

HERE = Path(__file__).resolve().parent


def test_tenants_with_a_database_each():
    run("settings_routed", "with_tenants.py")


@pytest.mark.services("postgresql", "tenants")
def test_tenants_with_a_schema_each():
    run("settings_schemas", "with_tenants.py", "with_schemas.py")


def run(project, *files):
    result = run_project(HERE, project, *(HERE / each for each in files))
    if result.returncode or " skipped" in result.stdout:
        pytest.fail(result.stdout, pytrace=False)
