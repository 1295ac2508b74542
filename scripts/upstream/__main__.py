"""
Run Django's own tests of auth, sessions and the admin without and with this package.

The package is installed without a session limit. The script fails if the outcomes
differ, except for the differences that differences.toml explains.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
from collections import Counter
from pathlib import Path
from typing import TypedDict

import django

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = ROOT / ".cache" / "django"
LABELS = ["auth_tests", "sessions_tests", "admin_views"]

Outcomes = dict[str, tuple[str, str]]


class Difference(TypedDict):
    shows: str
    why: str


def locked_source() -> str:
    """Return the locked requirement for the installed Django, with its hashes."""
    wanted = rf"^django=={re.escape(django.get_version())} \\\n(?: +--hash=\S+.*\n)+"
    for lock in sorted(ROOT.glob("requirements/test-*.txt")):
        if found := re.search(wanted, lock.read_text(), re.MULTILINE):
            return found[0]
    sys.exit(f"Django {django.get_version()} is in none of the locks.")


def source() -> Path:
    """Return the tests/ directory of the installed Django. Downloads it only once."""
    tests = CACHE / f"django-{django.get_version()}" / "tests"
    if not tests.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        requirement = CACHE / "requirement.txt"
        requirement.write_text(locked_source())
        pip = [sys.executable, "-m", "pip", "--quiet", "download", "--no-deps"]
        options = ["--no-binary", ":all:", "--require-hashes", "--dest", CACHE]
        subprocess.run([*pip, *options, "-r", requirement], check=True)
        unpacked = CACHE / "unpacked"
        shutil.rmtree(unpacked, ignore_errors=True)
        with tarfile.open(CACHE / f"django-{django.get_version()}.tar.gz") as archive:
            archive.extractall(unpacked, filter="data")
        (unpacked / tests.parent.name).rename(tests.parent)
        unpacked.rmdir()
    return tests


def run(tests: Path, settings: str) -> Outcomes:
    """Run the tests with these ``settings``, and return the outcome of each test."""
    outcomes = CACHE / f"{settings}-{django.get_version()}.json"
    outcomes.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "PYTHONPATH": str(HERE),
        "UPSTREAM_OUTCOMES": str(outcomes),
    }
    command = [sys.executable, "runtests.py", "--settings", settings, "--parallel=2"]
    started = time.monotonic()
    finished = subprocess.run(
        [*command, "--noinput", *LABELS],
        cwd=tests,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if not outcomes.exists():
        sys.exit(f"Django's tests did not run under {settings}:\n{finished.stdout}")
    result: Outcomes = json.loads(outcomes.read_text())
    counts = Counter(outcome for outcome, _ in result.values())
    listed = ", ".join(f"{n} {outcome}" for outcome, n in counts.most_common())
    seconds = time.monotonic() - started
    print(f"{settings:>10}: {listed} ({seconds:.0f} s)", flush=True)
    return result


def compare(
    before: Outcomes, after: Outcomes, explained: dict[str, Difference]
) -> list[str]:
    """Return a text for each difference without an explanation or with a wrong one."""
    objections = []
    for test in sorted(before.keys() | after.keys() | explained.keys()):
        was, _ = before.get(test, ("not run", ""))
        now, message = after.get(test, ("not run", ""))
        known = explained.get(test)
        if was == now and known:
            objections.append(f"{test}: explained, but {now} both times")
        elif was != now and not known:
            objections.append(f"{test}: was {was}, is {now}\n{message}")
        elif known and known["shows"] not in message:
            objections.append(f"{test}: does not show {known['shows']!r}\n{message}")
    return objections


def main() -> None:
    tests = source()
    explained: dict[str, Difference] = tomllib.loads(
        (HERE / "differences.toml").read_text()
    )
    print(f"Django {django.get_version()}: {', '.join(LABELS)}", flush=True)
    before = run(tests, "as_is")
    after = run(tests, "installed")
    if not before:
        sys.exit("No test was run.")
    objections = compare(before, after, explained)
    for objection in objections:
        print(f"\n{objection}")
    for test, difference in explained.items():
        print(f"explained: {test}: {difference['why']}")
    if objections:
        sys.exit(f"\n{len(objections)} unexplained differences.")
    print("The same with the package as without it, apart from what is explained.")


if __name__ == "__main__":
    main()
