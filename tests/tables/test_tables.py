"""Run the tests of each project in a process of its own, with its own user model."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from pathlib import Path

import django
import pytest
from django.conf import settings

HERE = Path(__file__).resolve().parent
RUN = [
    sys.executable,
    *("-m", "pytest", "--quiet", "--color=no"),
    # Leave the record of failed tests to the outer run.
    *("-p", "no:cacheprovider"),
    *("-p", "no:hypothesispytest"),
]
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
    # Do not use the suite's own database, which is in use. PostgreSQL allows names of
    # 63 characters.
    name = f"{settings.DB_NAME[:40]}_{zlib.crc32(project.encode()):x}"
    choice = ["--ds", f"tests.tables.{project}", "-o", f"python_files={files}"]
    result = subprocess.run(
        [*RUN, *choice, HERE],
        cwd=HERE.parent.parent,
        env=os.environ | {"SESSION_LIMIT_TEST_DB_NAME": name},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    if result.returncode:
        pytest.fail(result.stdout, pytrace=False)
