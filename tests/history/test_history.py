"""Test that short runs break no rule, and that those without a safeguard do."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.history import network

pytestmark = pytest.mark.services("servers", "namespaces")

ROOT = Path(__file__).resolve().parents[2]
# Minutes during which faults are injected, and the safeguard that is removed.
RUNS = {
    "sound": ["--minutes=0.4", "--bus=redis"],
    "lock": ["--minutes=0.1", "--broken=lock"],
    "sweep": ["--minutes=0.1", "--broken=sweep"],
    "verification": ["--minutes=0.1", "--broken=verification"],
}
# In seconds: more than a run takes on a busy machine.
PATIENCE = 180


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.history", "--seed=3", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def left_by(process: subprocess.Popen[str]) -> list[object]:
    """Return what the run of this process created and has not removed."""
    directories = Path(tempfile.gettempdir()).glob(f"{network.PREFIX}-{process.pid}-*")
    return [*network.own(f"{process.pid}-"), *directories]


@pytest.fixture(scope="module")
def runs():
    """Start every run at once, because each waits more than it computes."""
    processes = {name: start(*arguments) for name, arguments in RUNS.items()}
    try:
        yield {
            name: (process.communicate(timeout=PATIENCE)[0], process.returncode)
            for name, process in processes.items()
        }
        assert [left_by(process) for process in processes.values()] == [[]] * len(RUNS)
    finally:
        for process in processes.values():
            process.terminate()
            process.wait()


def test_everything_holds(runs) -> None:
    printed, status = runs["sound"]
    assert status == 0, printed
    assert "violations  0" in printed


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        ("lock", "cap: "),
        ("sweep", "told in time: "),
        ("verification", "finality: "),
    ],
)
def test_the_judge_finds_what_a_missing_safeguard_lets_happen(
    runs, broken, rule
) -> None:
    printed, status = runs[broken]
    assert status == 1, printed
    assert any(line.startswith(rule) for line in printed.splitlines()), printed


def test_nothing_is_left_of_a_run_that_is_stopped() -> None:
    process = start()
    try:
        deadline = time.monotonic() + PATIENCE
        while not any("database" in str(each) for each in left_by(process)):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.terminate()
        process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 143
    assert left_by(process) == []


def test_a_plan_that_cannot_be_run_says_why() -> None:
    process = start("--bus=postgres", "--database=mariadb")
    printed, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert "LISTEN needs PostgreSQL" in printed
