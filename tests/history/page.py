"""Write ``docs/explanation/history.md`` from ``page.md`` and the latest figures."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import django

from tests.history.report import table
from tests.history.servers import ROOT

if TYPE_CHECKING:
    from tests.history.history import History
    from tests.history.judge import Objection

PAGE = ROOT / "docs" / "explanation" / "history.md"
TEXT = Path(__file__).with_name("page.md")


def write(judged: list[tuple[History, list[Objection]]]) -> None:
    """Write the page with the figures of the ``judged`` runs."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    measured = (
        f"Measured {datetime.now(UTC):%Y-%m-%dT%H:%M+00:00} at {commit or 'no commit'}"
        f" on {os.cpu_count()} cores; Python {platform.python_version()},"
        f" Django {django.get_version()}."
    )
    text = TEXT.read_text().replace("MEASURED", measured)
    PAGE.write_text(text.replace("TABLE", table(judged)))
