"""Run the tests of a library in each mode, and compare the outcomes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter

from libraries import HERE, MODES, Difference, Library, differences
from sources import CACHE, source

Outcomes = dict[str, tuple[str, str]]


def run(library: Library, mode: str) -> Outcomes | str:
    """Run the library's tests. Return their outcomes, or why there are none."""
    results = CACHE / "results" / f"{library.name.replace('/', '-')}-{mode}"
    results.parent.mkdir(parents=True, exist_ok=True)
    outcomes = results.with_suffix(".json")
    outcomes.unlink(missing_ok=True)
    directory = source(library)
    installed = MODES[mode]
    ours = [HERE / "inject", HERE / "projects"]
    paths = [*ours, *(directory / path for path in library.path)]
    environment = {
        **{
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("PYTEST_", "DJANGO_"))
        },
        **library.env,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PYTEST_PLUGINS": "compat_pytest",
        "PYTEST_ADDOPTS": "-p no:cacheprovider",
        "COMPAT_OUTCOMES": str(outcomes),
        "COMPAT_SETTINGS": json.dumps({**library.settings, **(installed or {})}),
        "COMPAT_INSTALL": "0" if installed is None else "1",
    }
    started = time.monotonic()
    with results.with_suffix(".log").open("w") as log:
        try:
            subprocess.run(
                [sys.executable, *library.run],
                cwd=directory / library.directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=60 * library.minutes,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"The tests took longer than {library.minutes} minutes."
    if not outcomes.exists():
        lines = results.with_suffix(".log").read_text().splitlines()
        return "\n".join(["The tests did not run:", *lines[-30:]])
    result: Outcomes = json.loads(outcomes.read_text())
    counts = Counter(outcome for outcome, _ in result.values())
    listed = ", ".join(f"{n} {outcome}" for outcome, n in counts.most_common())
    seconds = time.monotonic() - started
    name = f"{library.name} {library.version}"
    print(f"{name:36} {mode:>5}: {listed or 'nothing'} ({seconds:.0f} s)", flush=True)
    return result


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
    before = run(library, "plain")
    if isinstance(before, str):
        return [f"{library.name}, plain: {before}"]
    passed = sum(outcome == "passed" for outcome, _ in before.values())
    if passed < library.passes:
        return [f"{library.name}, plain: {passed} passed, not {library.passes}"]
    objections = []
    for mode in modes:
        after = run(library, mode)
        if isinstance(after, str):
            found = [after]
        else:
            explained = {
                test: difference
                for difference in known
                if mode in difference["modes"]
                for test in difference["tests"]
            }
            found = compare(before, after, explained)
        objections += [f"{library.name}, {mode}: {text}" for text in found]
    return objections
