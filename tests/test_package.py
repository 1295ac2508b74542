"""What people install: all of it, and nothing else."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import pytest

import session_limit
from tests.conftest import TESTS_WHEEL

SOURCE = Path(__file__).resolve().parent.parent / "src"
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

built = pytest.mark.skipif(not TESTS_WHEEL, reason="this is not the wheel (make test)")


def run(code):
    """Run ``code`` in a Python of its own and return what it prints, as JSON."""
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
    """The package's own module is read before Django's settings are."""
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
