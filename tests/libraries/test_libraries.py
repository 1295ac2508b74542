"""
Run the tests of other libraries in a process of their own.

They need settings and tables that the rest of the suite does without. To run a part of
them by hand::

    python -m pytest --ds tests.libraries.settings tests/libraries/with_allauth.py
    python -m pytest --ds tests.libraries.settings_axes_and_unfold \
        tests/libraries/under_axes.py
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.processes import run_project

HERE = Path(__file__).resolve().parent


@pytest.mark.parametrize(
    ("project", "files"),
    [("settings", "with_*.py"), ("settings_axes_and_unfold", "under_*.py")],
)
def test_libraries(project, files):
    result = run_project(HERE, project, "-o", f"python_files={files}", HERE)
    if result.returncode or " skipped" in result.stdout:
        pytest.fail(result.stdout, pytrace=False)
