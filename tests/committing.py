"""Let the tests of a directory commit their transactions."""

from __future__ import annotations

from pathlib import Path

import pytest


def commit_all(items, conftest):
    """
    Make the tests in the directory of ``conftest`` commit, as a site does.

    ``items`` are the tests that ``pytest_collection_modifyitems()`` receives.
    """
    for item in items:
        if item.path.is_relative_to(Path(conftest).parent):
            item.add_marker(pytest.mark.django_db(transaction=True))
