"""Contenders' processes, seen from the one that measures them."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from benchmarks.contenders import Contender
from benchmarks.databases import Database
from benchmarks.environments import ROOT, python


class WorkerError(Exception):
    """What a contender's process raised."""


def environment(
    contender: Contender, database: Database, engine: str, server: str = "wsgi"
) -> dict[str, str]:
    """Return what ``benchmarks.project.settings`` reads."""
    return {
        **os.environ,
        **database.environment,
        "DJANGO_SETTINGS_MODULE": "benchmarks.project.settings",
        "BENCHMARKS_CONTENDER": contender.name,
        "BENCHMARKS_ENGINE": engine,
        "BENCHMARKS_SERVER": server,
        # The same order of every dictionary and set in every process.
        "PYTHONHASHSEED": "0",
    }


@dataclass(frozen=True, slots=True)
class Worker:
    contender: Contender
    process: subprocess.Popen[str]
    # What it logs, as a project's processes log to a file.
    log: IO[str]

    def begin(self, command: str, **arguments: Any) -> None:
        """Ask, without waiting for the answer."""
        assert self.process.stdin is not None
        line = json.dumps({"do": command, "with": arguments})
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def end(self) -> Any:
        """Return the answer to what was begun."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.log.seek(0)
            last = self.log.read().strip().rpartition("\n")[2]
            raise WorkerError(f"it does not run: {last}")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer["answer"]

    def ask(self, command: str, **arguments: Any) -> Any:
        self.begin(command, **arguments)
        return self.end()


@contextmanager
def started(contender: Contender, environment: dict[str, str]) -> Iterator[Worker]:
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [python(contender), "-m", "benchmarks.project.worker"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            yield Worker(contender, process, log)
        finally:
            # Whoever reads the end of its input ends.
            process.communicate(timeout=20)
