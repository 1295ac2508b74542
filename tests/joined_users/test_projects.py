"""Run these tests in a project with another user model, and without time zones."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from tests.processes import run_project

HERE = Path(__file__).resolve().parent
IS_INSIDE = "tests.joined_users" in settings.INSTALLED_APPS


@pytest.mark.skipif(IS_INSIDE, reason="runs in the suite's own project")
@pytest.mark.parametrize("use_tz", ["1", "0"])
def test_a_user_model_with_fields_of_many_kinds(monkeypatch, use_tz):
    monkeypatch.setenv("SESSION_LIMIT_TEST_USE_TZ", use_tz)
    result = run_project(HERE, "settings", HERE / "test_equality.py")
    if result.returncode:
        pytest.fail(result.stdout, pytrace=False)
