"""The README: its snippets run, and its links and images work on the package index."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import types

import pytest
from django.core.checks import run_checks
from django.core.management import get_commands
from django.template import Context, Template
from django.test import override_settings

from session_limit.asgi import SessionGuard
from tests.documentation.pages import ROOT, blocks

TEXT = (ROOT / "README.md").read_text()
BLOCKS = blocks(TEXT)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REPOSITORY = "django-session-limit/django-session-limit"
FILES = f"https://github.com/{REPOSITORY}/blob/main/"
IMAGES = f"https://raw.githubusercontent.com/{REPOSITORY}/main/"


def modules(file):
    """Return what each of the README's versions of this file defines."""
    found = []
    for block in BLOCKS:
        if block.file == file:
            module = types.ModuleType(file.removesuffix(".py").replace("/", "."))
            exec(block.text, module.__dict__)  # noqa: S102 from our own page
            found.append(module)
    return found


def settings_of(module):
    return {name: value for name, value in vars(module).items() if name.isupper()}


def test_links_and_images_work_wherever_the_readme_is_shown():
    targets = re.findall(r"\]\(([^)\s]+)\)", TEXT)
    assert len(targets) > 30
    for target in targets:
        base = IMAGES if target.endswith(".png") else FILES
        assert target.startswith(base), target
        path = target.removeprefix(base).partition("#")[0]
        assert (ROOT / path).is_file(), target


def test_the_repository_is_the_one_that_the_package_names():
    assert f"https://github.com/{REPOSITORY}" in PROJECT["urls"].values()


def test_every_python_snippet_names_its_file():
    files = {block.file for block in BLOCKS if block.language == "python"}
    assert files == {"settings.py", "urls.py", "shop/rules.py", "asgi.py"}


def test_the_first_settings_install_the_package():
    installed = settings_of(modules("settings.py")[0])
    apps = [app for app in installed["INSTALLED_APPS"] if app is not ...]
    assert apps.index("session_limit") > apps.index("django.contrib.auth")
    middleware = installed["MIDDLEWARE"]
    place = middleware.index("session_limit.middleware.SessionLimitMiddleware")
    outside = "django.contrib.sessions.middleware.SessionMiddleware"
    assert middleware[place - 1] == outside


def test_every_other_settings_snippet_passes_the_system_checks(monkeypatch):
    (rules,) = modules("shop/rules.py")
    for name in ("shop", rules.__name__):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, rules.__name__, rules)
    monkeypatch.setattr(sys.modules["shop"], "rules", rules, raising=False)
    _, *snippets = modules("settings.py")
    assert len(snippets) == 5
    for snippet in snippets:
        with override_settings(**settings_of(snippet)):
            found = run_checks()
        assert [message for message in found if "session_limit" in message.id] == []


def test_the_addresses_are_included():
    (urls,) = modules("urls.py")
    *_, included = urls.urlpatterns
    assert included.url_patterns


def test_the_application_is_guarded():
    (asgi,) = modules("asgi.py")
    assert isinstance(asgi.application, SessionGuard)


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.language == "html+django"]
)
def test_every_template_can_be_parsed(block):
    template = Template(block.text)
    if "extends" not in block.text:
        assert template.render(Context())


def test_every_command_exists():
    commands = set(re.findall(r"manage\.py (\w+)", TEXT))
    assert {"migrate", "check", "prunesessions", "sessionpolicy"} == commands
    assert commands <= get_commands().keys()


def test_the_commands_for_a_clone_exist():
    commands = set(re.findall(r"`make (\w+)`", TEXT))
    assert {"demo", "test"} <= commands
    make = shutil.which("make")
    assert make, "the README promises that make is all it takes"
    finished = subprocess.run(
        [make, "--dry-run", *sorted(commands)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
