"""The house: imports run downwards only, and no cycle hides behind a local one."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = "session_limit"
SOURCE = Path(__file__).resolve().parent.parent / "src"

# From the bottom up. A module imports from the layers below its own, and what is a
# package from itself: so the doors, all in one layer, never import one another.
LAYERS = [
    # What needs nothing of ours.
    {"after_commit", "local_address"},
    {
        "browsers",
        "durations",
        "exceptions",
        "forms",
        "navigation",
        "policy",
        "remembered",
        "repeated",
        "routes",
        "signals",
        "users",
        "what_if",
    },
    {"use_here", "conf", "kept", "request_log", "swap"},
    {"addresses"},
    {"client"},
    {"models", "rules", "stored"},
    {"audit", "verify"},
    {"bus"},
    # The only writer.
    {"registry"},
    {"asking"},
    # A request's session, and what its client is told.
    {"overview", "state", "texts"},
    {"play_texts", "store"},
    {"payloads"},
    {"facade", "identity", "notices", "responses"},
    {"conflicts", "gateway"},
    {"response_phase"},
    # The doors.
    {
        "admin",
        "guard",
        "management",
        "middleware",
        "receivers",
        "templatetags",
        "views",
        "wsgi",
    },
    # What puts them together, and what stands on top of all of it.
    {"checks", "urls"},
    {"apps"},
    {"testing"},
    {"contrib"},
]
LAYER = {name: number for number, layer in enumerate(LAYERS) for name in layer}

# Imports inside a function, each with its reason.
LOCAL_IMPORTS = {
    ("apps", "session_limit.checks"): "needs the models, which load after the apps",
    ("apps", "session_limit.receivers"): "the same",
    ("guard", "session_limit.guard.serving"): "asgi.py imports it before the apps load",
    ("wsgi", "session_limit.gateway"): "wsgi.py does the same",
}


@dataclass(frozen=True)
class Import:
    module: str
    local: bool


def is_type_checking(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


def imports(tree: ast.AST, *, local: bool = False) -> Iterator[Import]:
    """Yield what is imported when ``tree`` runs: not what type checkers alone read."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, local)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports are not used"
            for alias in node.names:
                yield Import(f"{node.module}.{alias.name}", local)
        elif is_type_checking(node):
            for other in node.orelse:
                yield from imports(other, local=local)
        else:
            inside = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            yield from imports(node, local=local or inside)


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path.read_text() for path in SOURCE.rglob("*.py")}
# Migrations are Django's to import, and import what they record.
MODULES = {name: text for name, text in MODULES.items() if ".migrations" not in name}


def resolve(name: str) -> str | None:
    """Return the module of ours that importing ``name`` runs."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name or None


def top(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def objections(module: str, text: str) -> list[str]:
    """Return what the rules have against the imports of ``module``."""
    found = []
    for each in imports(ast.parse(text)):
        target = resolve(each.module)
        if target and top(target) != top(module):
            if not top(target):
                found.append(f"imports from {PACKAGE} itself: {each.module}")
            elif LAYER[top(target)] >= LAYER[top(module)]:
                found.append(f"imports upwards or sideways: {target}")
        known = (module.removeprefix(f"{PACKAGE}."), target or each.module)
        if each.local and known not in LOCAL_IMPORTS:
            found.append(f"imports inside a function: {each.module}")
        if each.module.startswith("django.test") and top(module) != "testing":
            found.append(f"imports test code: {each.module}")
    return found


def test_every_module_has_a_layer():
    assert {top(module) for module in MODULES} - {""} <= LAYER.keys()


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_run_downwards(module):
    assert objections(module, MODULES[module]) == []


def test_no_cycles():
    graph = {
        module: {
            target
            for each in imports(ast.parse(text))
            if (target := resolve(each.module)) and target != module
        }
        for module, text in MODULES.items()
    }
    graphlib.TopologicalSorter(graph).prepare()


def test_every_listed_local_import_is_there():
    local = {
        (module.removeprefix(f"{PACKAGE}."), resolve(each.module) or each.module)
        for module, text in MODULES.items()
        for each in imports(ast.parse(text))
        if each.local
    }
    assert LOCAL_IMPORTS.keys() == local


@pytest.mark.parametrize(
    ("module", "text", "objection"),
    [
        ("policy", "from session_limit.conf import conf", "upwards or sideways"),
        ("policy", "import session_limit.conf", "upwards or sideways"),
        ("conf", "from session_limit import registry", "upwards or sideways"),
        ("conf", "if True:\n    import session_limit.models", "upwards or sideways"),
        ("middleware", "import session_limit.views", "upwards or sideways"),
        ("registry", "from session_limit import __version__", "from session_limit"),
        ("conf", "def f():\n    import json", "inside a function"),
        ("conf", "async def f():\n    import json", "inside a function"),
        ("conf", "from django.test import Client", "imports test code"),
        ("conf", "from django import test", "imports test code"),
    ],
)
def test_what_breaks_a_rule_is_found(module, text, objection):
    assert any(objection in each for each in objections(f"{PACKAGE}.{module}", text))


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("registry.ending", "from session_limit.registry import locking"),
        ("conf", "if TYPE_CHECKING:\n    from session_limit.rules import Rules"),
        ("testing", "from django.test import Client"),
    ],
)
def test_what_keeps_the_rules_is_left_alone(module, text):
    assert objections(f"{PACKAGE}.{module}", text) == []
