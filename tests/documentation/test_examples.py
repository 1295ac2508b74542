"""The examples of every page: Python that compiles, and names that exist."""

from __future__ import annotations

import ast
import importlib.util
import re
import textwrap
from pathlib import Path

import pytest

from tests.documentation.pages import ROOT, blocks

PAGES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
}
# "session_limit.bus.redis.RedisBus". "session_limit.Play" is a model's label, and
# "session_limit.W301" a check's id, so a path has at least two dots.
DOTTED = re.compile(r"[\"'`](session_limit(?:\.\w+)+\.[A-Z]\w+)[\"'`]")


def python(text):
    for block in blocks(text):
        if block.language == "python":
            yield textwrap.dedent(block.text)


def imported(code):
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("session_limit"):
            for name in node.names:
                yield node.module, name.name


@pytest.mark.parametrize("page", PAGES)
def test_examples_compile(page):
    for code in python(PAGES[page]):
        compile(code, page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def names(module):
    """Yield what a module defines or imports, from its source: it may need an extra."""
    spec = importlib.util.find_spec(module)
    for node in ast.parse(Path(spec.origin).read_text()).body:
        if isinstance(node, ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if hasattr(target, "id"))


def exists(module, name):
    if name in names(module):
        return True
    is_package = importlib.util.find_spec(module).submodule_search_locations
    return is_package and importlib.util.find_spec(f"{module}.{name}") is not None


@pytest.mark.parametrize("page", PAGES)
def test_what_examples_import_exists(page):
    for code in python(PAGES[page]):
        for module, name in imported(code):
            assert exists(module, name), f"from {module} import {name}"


@pytest.mark.parametrize("page", PAGES)
def test_dotted_paths_exist(page):
    for path in DOTTED.findall(PAGES[page]):
        module, _, name = path.rpartition(".")
        assert exists(module, name), path


@pytest.mark.parametrize("page", PAGES)
def test_functions_of_the_registry_exist(page):
    for name in re.findall(r"\bregistry\.(\w+)\(", PAGES[page]):
        assert exists("session_limit.registry", name), f"registry.{name}()"
