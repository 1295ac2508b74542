"""
Run the tests of projects with tenants, in a process for each project.

To run one by hand::

    python -m pytest --ds tests.tenants.settings_routed tests/tenants/with_tenants.py
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

from tests.libraries.test_libraries import RUN

HERE = Path(__file__).resolve().parent


def test_tenants_with_a_database_each():
    run("settings_routed", "with_tenants.py")


@pytest.mark.services("postgresql", "tenants")
def test_tenants_with_a_schema_each():
    run("settings_schemas", "with_tenants.py", "with_schemas.py")


def run(project, *files):
    name = f"{settings.DB_NAME[:40]}_{project}"
    result = subprocess.run(
        [*RUN, "--ds", f"tests.tenants.{project}", *(HERE / each for each in files)],
        cwd=HERE.parent.parent,
        env=os.environ | {"SESSION_LIMIT_TEST_DB_NAME": name},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    if result.returncode or " skipped" in result.stdout:
        pytest.fail(result.stdout, pytrace=False)
