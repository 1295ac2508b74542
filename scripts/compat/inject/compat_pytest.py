"""Write the outcome of each test of pytest to a file. PYTEST_PLUGINS loads this."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

WORST_LAST = ("passed", "skipped", "xfailed", "xpassed", "failed", "error")

outcomes: dict[str, tuple[str, str]] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Record the outcome of a test, or of its fixtures if they fail."""
    outcome: str = report.outcome
    if hasattr(report, "wasxfail"):
        outcome = "xpassed" if report.passed else "xfailed"
    elif report.when != "call":
        if report.passed:
            return
        if report.failed:
            outcome = "error"
    earlier = outcomes.get(report.nodeid, ("passed", ""))
    if WORST_LAST.index(outcome) >= WORST_LAST.index(earlier[0]):
        outcomes[report.nodeid] = (outcome, str(report.longrepr or ""))


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Record an error in a module of tests."""
    if report.failed:
        outcomes[report.nodeid] = ("error", str(report.longrepr))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the file."""
    Path(os.environ["COMPAT_OUTCOMES"]).write_text(json.dumps(outcomes))
