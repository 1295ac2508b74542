"""
Where the time of a request and of a sign-in goes, as the profiler sees it; and how
many instructions a request takes, which no other process on the machine changes.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.contenders import FLOOR, OURS, PLAIN, Contender
from benchmarks.databases import Database, database
from benchmarks.environments import ROOT, python
from benchmarks.workers import environment, started

REQUESTS = 300
SIGN_INS = 50
TOP = 12
ENGINES = ("db", "cache")

# Requests in the shorter of two runs; the longer one has twice as many.
COUNTED = 60


def _profiles() -> Iterator[dict[str, Any]]:
    for kind in ("postgresql", "sqlite"):
        for contender in (PLAIN, OURS):
            with database(kind, contender.name) as on:
                for number, engine in enumerate(ENGINES):
                    yield from _profile(contender, on, engine, is_first=not number)


def _profile(
    contender: Contender, on: Database, engine: str, *, is_first: bool
) -> Iterator[dict[str, Any]]:
    where = {"contender": contender.name, "database": on.kind, "engine": engine}
    with started(contender, environment(contender, on, engine)) as worker:
        if is_first:
            worker.ask("migrate")
        ids = worker.ask("create_users", count=SIGN_INS)
        worker.ask("become", id=ids[0])
        rows = worker.ask("profile", page="member", requests=REQUESTS, top=TOP)
        yield {**where, "what": "member", "functions": rows}
        if is_first:
            worker.ask("sign_in", ids=ids)
            rows = worker.ask("profile_sign_in", ids=ids, top=TOP)
            yield {**where, "what": "displacing sign-in", "functions": rows}


def _instructions(contender: Contender, engine: str, page: str, requests: int) -> int:
    """Return how many instructions a process with so many requests takes."""
    with (
        tempfile.TemporaryDirectory(prefix="session_limit_callgrind_") as directory,
        database("sqlite", contender.name) as on,
    ):
        out = Path(directory) / "out"
        command = [
            "valgrind",
            "--tool=callgrind",
            f"--callgrind-out-file={out}",
            *(python(contender), "-m", "benchmarks.project.repeated"),
            *(page, str(requests)),
        ]
        finished = subprocess.run(
            command,
            cwd=ROOT,
            env=environment(contender, on, engine),
            capture_output=True,
            text=True,
            check=False,
        )
        found = re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.MULTILINE)
        if finished.returncode or not found:
            raise RuntimeError(finished.stderr)
        return int(found[1])


def _counted() -> Iterator[dict[str, Any]]:
    for engine, page in (("db", "member"), ("cache", "member"), ("db", "public")):
        per_request = {}
        for contender in (PLAIN, FLOOR, OURS):
            once, twice = (
                _instructions(contender, engine, page, n * COUNTED) for n in (1, 2)
            )
            per_request[contender.name] = (twice - once) / COUNTED
        for name, instructions in per_request.items():
            figure = {
                "contender": name,
                "database": "sqlite",
                "engine": engine,
                "page": page,
                "instructions": instructions,
                "to_plain": instructions / per_request[PLAIN.name],
            }
            print("{engine} {page} {contender}: x {to_plain:.3f}".format(**figure))
            yield figure


def run(*, full: bool, command: str) -> Iterator[dict[str, Any]]:
    """Yield what is known so far, after each of the two parts."""
    described = machine.describe(command)
    result: dict[str, Any] = {
        "machine": described,
        "profiles": list(_profiles()),
        "instructions": "they are counted in a full run",
    }
    for profile in result["profiles"]:
        print("{contender} {database} {engine} {what}".format(**profile))
        for row in profile["functions"][:8]:
            print("  {own:8.1f} {cumulative:8.1f} {function}".format(**row))
    yield result
    if full and shutil.which("valgrind") is None:
        result["instructions"] = "valgrind is not installed"
    elif full:
        result["instructions"] = list(_counted())
    yield result
