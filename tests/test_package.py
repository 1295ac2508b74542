"""People install the whole package, and nothing else."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import session_limit
from tests.conftest import TESTS_WHEEL

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OPTIONAL = {
    "allauth",
    "channels",
    "hijack",
    "psycopg",
    "MySQLdb",
    "redis",
    "rest_framework",
    "ua_parser",
}

built = pytest.mark.skipif(not TESTS_WHEEL, reason="needs the built wheel (make test)")
cloned = pytest.mark.skipif(
    not (ROOT / ".pre-commit-config.yaml").exists(),
    reason="needs a clone of the repository",
)


def run(code):
    """Run ``code`` in another process, and return what it prints, parsed as JSON."""
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(finished.stdout)


@built
def test_the_wheel_is_what_is_tested():
    distribution = importlib.metadata.distribution("django-session-limit")
    installed = distribution.locate_file("session_limit/__init__.py")
    assert Path(session_limit.__file__) == Path(installed)
    assert SOURCE not in Path(session_limit.__file__).parents


@built
def test_the_wheel_holds_every_file():
    files = importlib.metadata.files("django-session-limit")
    installed = {str(file) for file in files if file.parts[0] == "session_limit"}
    sources = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in installed if "__pycache__" not in name} == sources
    assert "session_limit/py.typed" in installed
    assert any(name.startswith("session_limit/templates/") for name in installed)


@built
def test_the_wheel_requires_django_alone():
    requirements = importlib.metadata.requires("django-session-limit")
    assert [name for name in requirements if "extra ==" not in name] == ["django>=5.2"]


@built
def test_the_version_is_the_one_built():
    version = importlib.metadata.version("django-session-limit")
    assert session_limit.__version__ == version


def test_importing_it_imports_nothing_else():
    """The package itself is imported before Django's settings are read."""
    code = "import json, sys, session_limit; print(json.dumps(list(sys.modules)))"
    modules = run(code)
    assert not {name for name in modules if name.partition(".")[0] == "django"}
    assert not {name for name in modules if name.startswith("session_limit.")}


def test_a_project_in_production_loads_no_extras_and_no_test_code():
    code = """
import json, sys
from django.conf import settings
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "django.contrib.sessions",
        "session_limit",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "session_limit.middleware.SessionLimitMiddleware",
    ],
    ROOT_URLCONF="session_limit.urls",
    SECRET_KEY="tests",
)
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver
get_wsgi_application()
get_resolver().url_patterns
print(json.dumps(list(sys.modules)))
"""
    modules = run(code)
    assert "session_limit.middleware" in modules
    assert "session_limit.views" in modules
    assert not {name for name in modules if name.partition(".")[0] in OPTIONAL}
    assert "django.test" not in modules
    assert "session_limit.testing" not in modules
    assert "session_limit.admin" not in modules


# --- What the package index shows -----------------------------------------------------


def links(markdown):
    """Return the targets of links, images and references, outside of code."""
    prose = re.sub(
        r"^```.*?^```|`[^`\n]*`", "", markdown, flags=re.DOTALL | re.MULTILINE
    )
    inline = re.findall(r"\]\(\s*<?([^\s)>]*)", prose)
    references = re.findall(r"^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)", prose, re.MULTILINE)
    return inline + references + re.findall(r"""(?:href|src)=["']([^"']*)""", prose)


def in_repository(link):
    """Return the path of the file that the link shows, or ``None`` for another site."""
    source = PROJECT["urls"]["Source"].removeprefix("https://github.com/")
    for start in (
        f"https://github.com/{source}/blob/main/",
        f"https://github.com/{source}/tree/main/",
        f"https://raw.githubusercontent.com/{source}/main/",
    ):
        if link.startswith(start):
            return link.removeprefix(start).partition("#")[0]
    return None


def test_links_are_found_however_they_are_written():
    markdown = """
[a](https://a.test/) ![b]( b.png "B") [c](<c.md>) [![d](d.svg)](https://d.test)
<img src="e.png"> <a href='f.md'>f</a> `[no](no.md)` [g][g]

[g]: g.md

```markdown
[no](no.md)
```
"""
    assert sorted(links(markdown)) == [
        "b.png",
        "c.md",
        "d.svg",
        "e.png",
        "f.md",
        "g.md",
        "https://a.test/",
        "https://d.test",
    ]


def test_the_readme_has_no_link_that_only_works_in_the_repository():
    """The index resolves relative links against itself."""
    found = links((ROOT / PROJECT["readme"]).read_text())
    assert found
    assert [link for link in found if not link.startswith("https://")] == []


@cloned
def test_what_is_linked_in_the_repository_is_there():
    readme = links((ROOT / PROJECT["readme"]).read_text())
    paths = list(map(in_repository, [*readme, *PROJECT["urls"].values()]))
    assert any(paths)
    assert [path for path in paths if path and not (ROOT / path).exists()] == []


def test_images_are_linked_as_files():
    """An address with "blob" is a page about the image."""
    readme = (ROOT / PROJECT["readme"]).read_text()
    images = re.findall(r"!\[[^\]]*\]\(([^)\s]*)|<img[^>]*src=.([^\"']*)", readme)
    for image in map("".join, images):
        assert image.startswith("https://raw.githubusercontent.com/"), image


def test_the_index_links_to_all_that_people_look_for():
    assert PROJECT["urls"].keys() == {
        "Documentation",
        "Changelog",
        "Issues",
        "Source",
        "Security",
    }
    for url in PROJECT["urls"].values():
        assert url.startswith("https://")


@built
def test_the_wheel_says_what_the_project_says():
    metadata = importlib.metadata.metadata("django-session-limit")
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata["License-Expression"] == PROJECT["license"]
    assert metadata.get_all("Classifier") == PROJECT["classifiers"]
    urls = dict(url.split(", ", 1) for url in metadata.get_all("Project-URL"))
    assert urls == PROJECT["urls"]


def classified(prefix):
    """Return the versions in the classifiers that begin with ``prefix``."""
    found = (
        re.fullmatch(rf"{prefix} :: (\d+\.\d+)", c) for c in PROJECT["classifiers"]
    )
    return [match[1] for match in found if match]


def test_classifiers_name_every_python_from_the_oldest_on():
    pythons = classified("Programming Language :: Python")
    assert PROJECT["requires-python"] == f">={pythons[0]}"
    minors = [int(python.partition(".")[2]) for python in pythons]
    assert minors == list(range(minors[0], minors[-1] + 1))


@cloned
def test_classifiers_name_the_django_releases_that_tests_run_on():
    locks = "".join(p.read_text() for p in ROOT.glob("requirements/test-django*.txt"))
    pinned = re.findall(r"^django==(\d+\.\d+)", locks, re.MULTILINE)
    assert classified("Framework :: Django") == sorted(pinned)


def test_classifiers_name_every_language_of_the_pages():
    languages = {path.name for path in (SOURCE / "session_limit/locale").iterdir()}
    named = [c for c in PROJECT["classifiers"] if c.startswith("Natural Language :: ")]
    assert len(named) == len(languages | {"en"})


# --- The linters ----------------------------------------------------------------------


@cloned
def test_hooks_run_the_versions_that_make_lint_runs():
    lock = (ROOT / "requirements/lint.txt").read_text()
    pinned = dict(re.findall(r"^([\w-]+)==([^\s;]+)", lock, re.MULTILINE))
    pinned |= json.loads((ROOT / "package.json").read_text())["devDependencies"]
    config = (ROOT / ".pre-commit-config.yaml").read_text()
    hooks = re.findall(
        r"additional_dependencies: \[\"?(.+?)(?:==|@)([^@=]+?)\"?\]", config
    )
    assert {name for name, _ in hooks} == {
        "@biomejs/biome",
        "djlint",
        "ruff",
        "typescript",
        "zizmor",
    }
    assert [name for name, version in hooks if pinned[name] != version] == []


@cloned
def test_the_lock_of_the_linters_names_no_registry_but_npms():
    lock = json.loads((ROOT / "package-lock.json").read_text())
    packages = [package for name, package in lock["packages"].items() if name]
    assert all(package["integrity"] for package in packages)
    registry = "https://registry.npmjs.org/"
    assert all(p.get("resolved", registry).startswith(registry) for p in packages)
