"""One deliberate breakage, and what comes of it."""

from __future__ import annotations

import ast
import compileall
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
PACKAGE = "session_limit"

COMPILING = threading.Lock()

# More than every test together takes.
LONGEST = 900

# What a mutant that is wrong itself fails with: nothing that a test has noticed.
SLIPS = ("ImportError", "ModuleNotFoundError", "NameError", "UnboundLocalError")


# A comment, which is no token, or one token of Python.
TOKEN = re.compile(
    r"""
    (?P<comment> \#[^\n]* )
    | [A-Za-z]{0,2} (?: \"{3} .*? \"{3} | "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' )
    | \w+ | [-+*/%@&|^=<>!:]?= | -> | \S
    """,
    re.VERBOSE | re.DOTALL,
)


def tokens(text: str) -> list[re.Match[str]]:
    """
    Return the tokens of ``text``, which may begin or end anywhere in a statement.

    Leaves out comments, and commas before a closing bracket, which come and go with the
    formatting.
    """
    found = [match for match in TOKEN.finditer(text) if match["comment"] is None]
    following = [match[0] for match in found[1:]] + [""]
    return [
        match
        for match, after in zip(found, following, strict=True)
        if not (match[0] == "," and after in {")", "]", "}"})
    ]


def find(old: str, text: str) -> list[tuple[int, int]]:
    """Return where ``text`` has the tokens of ``old``, however it is formatted."""
    wanted, there = [m[0] for m in tokens(old)], tokens(text)
    names = [match[0] for match in there]
    return [
        (there[start].start(), there[start + len(wanted) - 1].end())
        for start in range(len(names) - len(wanted) + 1)
        if names[start : start + len(wanted)] == wanted
    ]


def extent(text: str, name: str) -> tuple[int, int]:
    """Return where the function or class ``name`` ("Class.method") begins and ends."""
    node: ast.AST = ast.parse(text)
    for part in name.split("."):
        [node] = [
            child
            for child in ast.walk(node)
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            and child.name == part
        ]
    lines = text.splitlines(keepends=True)
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)]) - 1
    return sum(map(len, lines[:first])), sum(map(len, lines[: node.end_lineno]))


@dataclass(frozen=True)
class Mutant:
    """
    ``new`` for ``old`` in a function of the package, and the ``test`` in ``tests`` that
    has to fail then.

    ``where`` is written as pytest writes tests: ``registry/admission.py::_admit``.
    ``old`` occurs there once. It is compared token by token, so that formatting and
    comments can change; only a part of a string is compared as text. ``database`` is
    where the test has to run to notice.
    """

    name: str
    where: str
    old: str
    new: str
    tests: str
    test: str
    database: str = "sqlite"

    @property
    def node(self) -> str:
        """What pytest is given."""
        return f"tests/{self.tests}.py::{self.test}"

    @property
    def file(self) -> str:
        """The path of the changed file in the package."""
        return self.where.partition("::")[0]

    def text(self) -> str:
        """Return the file with the change. Raises ``ValueError`` if it is stale."""
        text = (SOURCE / PACKAGE / self.file).read_text()
        _, _, function = self.where.partition("::")
        try:
            begin, end = extent(text, function) if function else (0, len(text))
        except ValueError:
            raise ValueError(f"stale: not one {self.where}") from None
        part = text[begin:end]
        changed = self._changed_tokens(part) or self._changed_text(part)
        changed = text[:begin] + changed + text[end:]
        compile(changed, self.file, "exec")
        return changed

    def _changed_tokens(self, text: str) -> str | None:
        found = find(self.old, text)
        if len(found) != 1:
            return None
        [(start, stop)] = found
        return text[:start] + self.new.strip() + text[stop:]

    def _changed_text(self, text: str) -> str:
        if (count := text.count(self.old)) != 1:
            raise ValueError(f"stale: {count} times in {self.where}: {self.old!r}")
        return text.replace(self.old, self.new)


@dataclass(frozen=True)
class Verdict:
    """Whether it is as it should be, and how that is known."""

    ok: bool
    reason: str
    seconds: float


@dataclass(frozen=True)
class Run:
    """What pytest said of the package in one directory."""

    source: Path
    code: int
    output: str

    @property
    def is_of_source(self) -> bool:
        # Said by tests/conftest.py: not, say, the wheel that is installed.
        return f"session_limit: {self.source / PACKAGE}\n" in self.output

    def lines(self, outcome: str) -> list[tuple[str, str]]:
        """Return the tests that had this outcome, and why."""
        found = [
            line.removeprefix(outcome).strip().partition(" - ")
            for line in self.output.splitlines()
            if line.startswith(f"{outcome} ")
        ]
        return [(test, why) for test, _, why in found]


@cache
def compiled() -> TemporaryDirectory[str]:
    """Return a copy of the package with bytecode, removed when this process ends."""
    directory = TemporaryDirectory(prefix="session_limit_mutants_")
    copy = Path(directory.name, "src")
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    compileall.compile_dir(copy, quiet=1)
    return directory


def run_tests(
    tests: list[str], database: str, name: str, mutant: Mutant | None = None
) -> Run:
    """Run ``tests`` with a copy of the package, changed as ``mutant`` says."""
    with TemporaryDirectory(prefix="session_limit_mutant_") as directory:
        source = Path(directory).resolve() / "src"
        with COMPILING:
            template = Path(compiled().name, "src")
        shutil.copytree(template, source)
        if mutant is not None:
            file = source / PACKAGE / mutant.file
            file.write_text(mutant.text())
            for bytecode in file.parent.glob(f"__pycache__/{file.stem}.*.pyc"):
                bytecode.unlink()
        options = ["-ra", "--tb=no", "-x", "-p", "no:cacheprovider"]
        if not any(test.startswith("tests/upgrade/") for test in tests):
            options.append("--no-migrations")
        # These take longer to import than most of these tests to run.
        for plugin in ("anyio", "hypothesispytest", "schemathesis"):
            options += ["-p", f"no:{plugin}"]
        try:
            ran = subprocess.run(
                [sys.executable, "-m", "pytest", *options, *tests],
                cwd=ROOT,
                env={
                    **os.environ,
                    "PYTHONPATH": str(source),
                    "SESSION_LIMIT_TEST_WHEEL": "",
                    "SESSION_LIMIT_TEST_DB": database,
                    "SESSION_LIMIT_TEST_DB_NAME": name,
                    "COLUMNS": "300",
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=LONGEST,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Run(source, -1, f"Nothing within {LONGEST} s.")
        return Run(source, ran.returncode, ran.stdout)


def try_unchanged(tests: list[str], database: str, name: str) -> Verdict:
    """Without a change, each of the ``tests`` passes."""
    began = time.monotonic()
    run = run_tests(tests, database, name)
    ok = run.code == 0 and run.is_of_source and not run.lines("SKIPPED")
    reason = run.output.splitlines()[-1].strip("= ") if ok else run.output
    return Verdict(ok, reason, time.monotonic() - began)


def try_mutant(mutant: Mutant, name: str) -> Verdict:
    """With the change, a test fails, and because of what it asserts."""
    began = time.monotonic()
    try:
        run = run_tests([mutant.node], mutant.database, name, mutant)
        ok, reason = judge(run)
    except (SyntaxError, ValueError) as error:
        ok, reason = False, str(error)
    return Verdict(ok, reason, time.monotonic() - began)


def judge(run: Run) -> tuple[bool, str]:
    """Return whether ``run`` has caught its mutant, and by what, or why not."""
    if not run.is_of_source:
        return False, f"not what was tested: {run.output}"
    if run.code == 0:
        return False, "SURVIVED"
    failed = run.lines("FAILED")
    slips = [why for _, why in failed if why.startswith(SLIPS)]
    # 1: tests were collected and ran, and some failed.
    if run.code != 1 or not failed or slips:
        return False, f"broken itself: {run.output}"
    test, why = failed[0]
    return True, f"{test}: {why}"
