"""
Run the tests of other libraries in a process of their own.

They need settings and tables that the rest of the suite does without. To run a part of
them by hand::

    python -m pytest --ds tests.libraries.settings tests/libraries/with_allauth.py
    python -m pytest --ds tests.libraries.settings_axes_and_unfold \
        tests/libraries/under_axes.py
"""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from pathlib import Path

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


@pytest.mark.parametrize(
    ("project", "files"),
    [("settings", "with_*.py"), ("settings_axes_and_unfold", "under_*.py")],
)
def test_libraries(project, files):
    # Do not use the suite's own database, which is in use. PostgreSQL allows names of
    # 63 characters.
    name = f"{settings.DB_NAME[:40]}_{zlib.crc32(project.encode()):x}"
    choice = ["--ds", f"tests.libraries.{project}", "-o", f"python_files={files}"]
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
    if result.returncode or " skipped" in result.stdout:
        pytest.fail(result.stdout, pytrace=False)
