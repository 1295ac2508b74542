"""Run the tests of a library in each mode, and compare the outcomes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from libraries import HERE, MODES, Difference, Library, differences
from sources import CACHE, source

Outcomes = dict[str, tuple[str, str]]


class NotRunError(Exception):
    """No outcomes, or the outcomes of something else than what was meant."""


def run(library: Library, mode: str) -> Outcomes:
    """Run the library's tests in this mode, and return the outcome of each."""
    results = CACHE / "results" / f"{library.name.replace('/', '-')}-{mode}"
    log, outcomes, mark = (results.with_suffix(end) for end in (".log", ".json", ".in"))
    results.parent.mkdir(parents=True, exist_ok=True)
    outcomes.unlink(missing_ok=True)
    mark.unlink(missing_ok=True)
    started = time.monotonic()
    with log.open("w") as printed:
        try:
            subprocess.run(
                [sys.executable, *library.run],
                cwd=source(library) / library.directory,
                env=environment(library, mode, outcomes, mark),
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                timeout=60 * library.minutes,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise NotRunError(f"took longer than {library.minutes} minutes") from None
    if not outcomes.exists():
        lines = log.read_text().splitlines()
        raise NotRunError("\n".join(["the tests did not run", *lines[-30:]]))
    if mark.exists() != (mode != "plain"):
        raise NotRunError("the package was installed in the wrong mode")
    result: Outcomes = json.loads(outcomes.read_text())
    counts = Counter(outcome for outcome, _ in result.values())
    listed = ", ".join(f"{n} {outcome}" for outcome, n in counts.most_common())
    if mode == "plain" and counts["passed"] < library.passes:
        raise NotRunError(f"{listed or 'nothing'}, but {library.passes} have to pass")
    seconds = time.monotonic() - started
    name = f"{library.name} {library.version}"
    print(f"{name:36} {mode:>5}: {listed or 'nothing'} ({seconds:.0f} s)", flush=True)
    return result


def environment(
    library: Library, mode: str, outcomes: Path, mark: Path
) -> dict[str, str]:
    """Return environment variables that make inject/ do what the ``mode`` says."""
    installed = MODES[mode]
    own = [HERE / "inject", HERE / "projects"]
    path = [*own, *(source(library) / path for path in library.path)]
    variables = {
        **os.environ,
        **library.env,
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "PYTEST_PLUGINS": "compat_pytest",
        "PYTEST_ADDOPTS": "-p no:cacheprovider",
        "COMPAT_OUTCOMES": str(outcomes),
        "COMPAT_SETTINGS": json.dumps({**library.settings, **(installed or {})}),
    }
    if installed is not None:
        variables["COMPAT_INSTALLED"] = str(mark)
    return variables


def compare(
    before: Outcomes, after: Outcomes, explained: dict[str, Difference]
) -> list[str]:
    """Return a text for each difference without an explanation or with a wrong one."""
    objections = []
    for test in sorted(before.keys() | after.keys() | explained.keys()):
        was, old_message = before.get(test, ("not run", ""))
        now, message = after.get(test, ("not run", ""))
        known = explained.get(test)
        if was == now and known:
            objections.append(f"{test}: explained, but {now} both times")
        elif was != now and not known:
            ends = (message or old_message)[-1500:]
            objections.append(f"{test}: was {was}, is {now}\n{ends}")
        elif known and known["shows"] not in message:
            objections.append(f"{test}: does not show {known['shows']!r}\n{message}")
    return objections


def judge(library: Library, modes: list[str]) -> list[str]:
    """Run the library's tests in each of the ``modes``, and return all objections."""
    known = [
        difference
        for difference in differences().get(library.distribution, [])
        if library.name in difference.get("only", [library.name])
    ]
    objections = []
    try:
        before = run(library, "plain")
    except NotRunError as error:
        return [f"{library.name}, plain: {error}"]
    for mode in modes:
        explained = {
            test: difference
            for difference in known
            if mode in difference["modes"]
            for test in difference["tests"]
        }
        try:
            found = compare(before, run(library, mode), explained)
        except NotRunError as error:
            found = [str(error)]
        objections += [f"{library.name}, {mode}: {text}" for text in found]
    return objections
