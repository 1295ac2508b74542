"""
Other people's libraries, in a process of their own: they need settings, and tables,
that the rest of the suite does without. To run a part of it by hand::

    python -m pytest --ds tests.libraries.settings tests/libraries/with_allauth.py
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

HERE = Path(__file__).resolve().parent
RUN = [
    sys.executable,
    *("-m", "pytest", "--quiet", "--color=no"),
    *("--ds", "tests.libraries.settings"),
    *("-o", "python_files=with_*.py"),
    # What failed last is the outer run's to remember.
    *("-p", "no:cacheprovider"),
]


def test_libraries():
    # Beside the database of the suite, which is in use.
    name = f"{settings.DB_NAME}_libraries"
    result = subprocess.run(
        [*RUN, HERE],
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
