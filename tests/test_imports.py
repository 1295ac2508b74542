"""Imports run downwards only, and no local import hides a cycle."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = "session_limit"
SOURCE = Path(__file__).resolve().parent.parent / "src"

# From the bottom up. A module imports from lower layers, and from the package that the
# layer names. The entry points therefore never import each other.
LAYERS = [
    # Modules that need no other module of the package
    {
        "exceptions",
        "pages.durations",
        "pages.play_swap",
        "policy",
        "signals",
        "store.copies",
        "store.users",
        "url_matching",
    },
    {"setting_kinds", "utils"},
    {"conf"},
    # The rows, the engines and what each request reads of both
    {"models", "pages.links", "store.engines"},
    {
        "audit",
        "bus",
        "client",
        "pages.next_steps",
        "rule_answers",
        "store.joined_users",
        "store.liveness",
        "store.store_ids",
        "store.stored_data",
    },
    {"pages.use_here", "rules", "store.queries"},
    # The only writer of the rows
    {"registry"},
    # What people are told, and then the session of a request
    {"pages"},
    {"store"},
    {"live_keys", "request"},
    {"gateway"},
    # The entry points
    {
        "admin",
        "asgi",
        "management",
        "middleware",
        "receivers",
        "templatetags",
        "views",
        "wsgi",
    },
    # Modules that connect the entry points, and modules that use all of them
    {"checks", "urls"},
    {"apps", "contrib", "testing"},
]
LAYER = {name: number for number, layer in enumerate(LAYERS) for name in layer}
# Packages that contain no code themselves, so that their modules can be in several
# layers
SPLIT = {"pages", "store"}

# Imports inside a function, each with its reason
LOCAL_IMPORTS = {
    ("apps", "session_limit.checks"): "needs the models, which load after the apps",
    ("apps", "session_limit.receivers"): "the same",
    ("apps", "session_limit.store.last_login"): "the same",
    ("asgi", "session_limit.asgi.dispatch"): "asgi.py imports it before the apps load",
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
    """
    Yield the imports that run with ``tree``, without those for type checkers alone.
    """
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
# Django imports the migrations, and they import what they record.
MODULES = {name: text for name, text in MODULES.items() if ".migrations" not in name}


def resolve(name: str) -> str | None:
    """Return the module of this package that importing ``name`` runs."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name or None


def part(module: str) -> str:
    """Return the name in ``LAYERS`` that ``module`` belongs to."""
    name = module.partition(".")[2]
    while name and name not in LAYER:
        name = name.rpartition(".")[0]
    return name


def objections(module: str, text: str) -> list[str]:
    """Return the rules that the imports of ``module`` break."""
    found = []
    for each in imports(ast.parse(text)):
        target = resolve(each.module)
        if target and part(target) != part(module):
            if not part(target):
                found.append(f"imports from {PACKAGE} itself: {each.module}")
            elif LAYER[part(target)] >= LAYER[part(module)]:
                found.append(f"imports upwards or sideways: {target}")
        known = (module.removeprefix(f"{PACKAGE}."), target or each.module)
        if each.local and known not in LOCAL_IMPORTS:
            found.append(f"imports inside a function: {each.module}")
        if each.module.startswith("django.test") and part(module) != "testing":
            found.append(f"imports test code: {each.module}")
        if each.module.startswith("django.http") and part(module) == "registry":
            found.append(f"imports requests: {each.module}")
    return found


def test_every_module_has_a_layer():
    assert {module for module in MODULES if not part(module)} == {PACKAGE}


@pytest.mark.parametrize("package", sorted(SPLIT))
def test_a_package_in_several_layers_imports_nothing(package):
    assert list(imports(ast.parse(MODULES[f"{PACKAGE}.{package}"]))) == []


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
        ("registry", "from django.http import HttpRequest", "imports requests"),
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
