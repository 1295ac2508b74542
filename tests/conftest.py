"""
A test that needs a server or a browser says so with the ``services`` marker.

If a service is absent, the test is skipped, or fails with
SESSION_LIMIT_REQUIRE_SERVICES=1. Either way, the run ends with a list of what it did
not cover.
"""

from __future__ import annotations

import contextvars
import functools
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import django
import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import router
from django.test import TransactionTestCase

import session_limit
from tests import stores
from tests.browser import chromium
from tests.clusters.programs import GALERA_PROVIDER, POSTGRESQL_PROGRAMS
from tests.history import services as history

REQUIRED = os.environ.get("SESSION_LIMIT_REQUIRE_SERVICES") == "1"
TESTS_WHEEL = os.environ.get("SESSION_LIMIT_TEST_WHEEL") == "1"

DRIVERS = {
    "postgresql": "psycopg",
    "mariadb": "MySQLdb",
    "galera": "MySQLdb",
    "standby": "psycopg",
    "redis": "redis",
    "sentinel": "redis",
    "chromium": "playwright",
    "gettext": "polib",
    "servers": "granian",
}
PROGRAMS = {
    "gettext": "xgettext",
    "nginx": "nginx",
    "caddy": "caddy",
    "ffmpeg": "ffmpeg",
    # rsync copies a node's data to another. mariadbd and the provider below are needed
    # too.
    "galera": "rsync",
    "sentinel": "redis-server",  # with --sentinel
}
# Files that are not found on the PATH
FILES = {"galera": GALERA_PROVIDER, "standby": POSTGRESQL_PROGRAMS / "pg_basebackup"}
# Debian installs nginx in a directory that is on the PATH of root alone.
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"
DATABASES = {"postgresql", "mariadb", "redis"}
COMBINATIONS = {(3, 11): (5, 2), (3, 12): (6, 0), (3, 13): (6, 1)}

skipped_services = pytest.StashKey[dict[str, int]]()


def address(service):
    if service == "redis":
        url = urlsplit(settings.REDIS_URL)
        return url.hostname, url.port or 6379
    server = settings.SERVERS[service]
    return server["HOST"], int(server["PORT"])


@functools.cache
def missing(service):
    """Return what ``service`` lacks on this machine, or the empty string."""
    driver = DRIVERS.get(service)
    if driver is not None and importlib.util.find_spec(driver) is None:
        return f"{service}: {driver} is not installed"
    if service == "chromium":
        is_there = chromium.executable()
    elif service in PROGRAMS:
        is_there = shutil.which(PROGRAMS[service], path=PATH)
    elif service in DATABASES:
        return unreachable(service, *address(service))
    elif service == "namespaces":
        return history.lacks()
    else:
        is_there = True
    if service in FILES and not FILES[service].exists():
        return f"{service}: no {FILES[service]}"
    return "" if is_there else f"{service}: not on the path"


def unreachable(service, host, port):
    if host.startswith("/"):  # PostgreSQL's socket directory
        return "" if Path(host).exists() else f"{service}: no {host}"
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError as error:
        return f"{service}: {host}:{port}: {error}"
    return ""


def pytest_configure(config):
    config.stash[skipped_services] = {}
    settings.RUN_DIRECTORY.mkdir(exist_ok=True)
    if settings.CACHE == settings.MEMCACHED:
        server = start_memcached()
        config.add_cleanup(server.wait)
        config.add_cleanup(server.terminate)
    config.add_cleanup(functools.partial(shutil.rmtree, settings.RUN_DIRECTORY))


def start_memcached():
    """Run a memcached for this run alone, on a socket of its own."""
    # memcached refuses to run as root unless it is told to.
    command = ["memcached", "-u", "root", "-s", settings.MEMCACHED_SOCKET]
    server = subprocess.Popen(command)
    deadline = time.monotonic() + 5
    while not settings.MEMCACHED_SOCKET.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return server


def pytest_collection_modifyitems(items):
    """Let every test that may use the database use all databases."""
    for item in items:
        marker = item.get_closest_marker("django_db")
        if marker is not None:
            whole = {**marker.kwargs, "databases": "__all__"}
            item.add_marker(pytest.mark.django_db(**whole), append=False)


@pytest.fixture(scope="session", autouse=True)
def emptied():
    """
    Empty the few tables that tests write to, after each test.

    ``TransactionTestCase`` would flush all tables, which takes longer than a test here.
    """
    # Models can be imported only once Django is set up.
    from session_limit.models import AccountLimit, PendingSignIn, Play, UserSession

    store = stores.engine()
    stored = [store.get_model_class()] if hasattr(store, "get_model_class") else []

    def empty(test_case):
        ours = (PendingSignIn, Play, UserSession, AccountLimit)
        for model in (*ours, *stored, get_user_model()):
            using = router.db_for_write(model)
            model._base_manager.using(using).all()._raw_delete(using)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty)
        yield


@pytest.fixture(autouse=settings.ENGINE != "db")
def emptied_store():
    """Delete what a store other than the database would leave to the next test."""
    yield
    stores.empty()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """
    Run each test in a context of its own.

    A test then leaves no language active. It leaves no variables of URL resolvers
    either, which every switch of threads would copy.
    """
    test = pyfuncitem.obj
    # The test is wrapped, because pytest could not show the source of a failure
    # otherwise.
    run = functools.wraps(test)(functools.partial(contextvars.copy_context().run, test))
    pyfuncitem.obj = run
    try:
        return (yield)
    finally:
        pyfuncitem.obj = test


def pytest_runtest_setup(item):
    for marker in item.iter_markers("services"):
        if lacking := [text for name in marker.args if (text := missing(name))]:
            reason = "; ".join(lacking)
            if REQUIRED:
                pytest.fail(f"A required service is absent. {reason}", pytrace=False)
            counts = item.config.stash[skipped_services]
            counts[reason] = counts.get(reason, 0) + 1
            pytest.skip(reason)


def pytest_report_header():
    return [
        f"database: {settings.DB}, sessions: {settings.ENGINE}",
        f"user model: {settings.AUTH_USER_MODEL}",
        f"session_limit: {Path(session_limit.__file__).parent}",
    ]


def not_run(config):
    """Yield a line for each part of the suite that this run did not cover."""
    for reason, count in config.stash[skipped_services].items():
        yield f"{count} tests that need {reason}"
    others = [db for db in ("sqlite", *settings.SERVERS) if db != settings.DB]
    yield f"the suite on {', '.join(others)} (SESSION_LIMIT_TEST_DB)"
    engines = [engine for engine in settings.ENGINES if engine != settings.ENGINE]
    yield f"with {', '.join(engines)} (SESSION_LIMIT_TEST_ENGINE)"
    here = (sys.version_info[:2], django.VERSION[:2])
    rest = [
        "Django {}.{} on Python {}.{}".format(*tested, *python)
        for python, tested in COMBINATIONS.items()
        if (python, tested) != here
    ]
    yield f"{', '.join(rest)} (PYTHON)"
    models = {"auth.User", "users.EmailUser", "users.CodeUser"}
    other_models = sorted(models - {settings.AUTH_USER_MODEL})
    yield f"with {', '.join(other_models)} (SESSION_LIMIT_TEST_USER_MODEL)"
    if not TESTS_WHEEL:
        yield "the built wheel: this was the source tree (make test)"


def pytest_terminal_summary(terminalreporter, config):
    terminalreporter.section("not run here (.ci/run runs all of it)")
    for line in not_run(config):
        terminalreporter.write_line(f"- {line}")
