"""
Fixtures and hooks of the whole suite.

A test that needs a server, a browser or another program carries the ``services``
marker. Where one of them is absent, the test is skipped, or fails if
SESSION_LIMIT_REQUIRE_SERVICES=1. The last line of a run says what it did not cover.
"""

from __future__ import annotations

import contextvars
import functools
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import router
from django.test import TransactionTestCase

import session_limit
from tests import stores
from tests.browser import chromium
from tests.clusters.programs import GALERA_PROVIDER, POSTGRESQL_PROGRAMS
from tests.drivers import ABSENT, REQUIRED
from tests.history import services as history

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
    "tenants": "django_tenants",
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

# Several workers may share a run ("pytest -n 2 --dist loadgroup", which "make test"
# does). Each has databases, caches and directories of its own (tests/settings.py), so
# most tests may run beside any other. These all run in one worker, one after another:
# they start servers or browsers that are busy themselves, or measure time.
SERIAL = (
    "tests/browser/",
    "tests/bus/",
    "tests/cap/",
    "tests/clusters/",
    "tests/faults/",
    "tests/finality/",
    "tests/asgi/test_hub.py",
    "tests/history/",
    "tests/servers/",
    "tests/test_demo.py",
    "tests/test_flood.py",
    "tests/test_plays_benchmark.py",
    "tests/test_push.py",
)


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
    if not is_distributing(config):
        # Coverage is measured in this process, not in what its tests start.
        os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
    if is_distributing(config):
        return
    settings.RUN_DIRECTORY.mkdir(exist_ok=True)
    if settings.CACHE == settings.MEMCACHED:
        server = start_memcached()
        config.add_cleanup(server.wait)
        config.add_cleanup(server.terminate)
    config.add_cleanup(functools.partial(shutil.rmtree, settings.RUN_DIRECTORY))


def is_distributing(config):
    """Whether this process only hands tests to the workers of pytest-xdist."""
    return config.getoption("dist", "no") != "no" and not hasattr(config, "workerinput")


def start_memcached():
    """Run a memcached for this run alone, on a socket of its own."""
    # memcached refuses to run as root unless it is told to.
    command = ["memcached", "-u", "root", "-s", settings.MEMCACHED_SOCKET]
    server = subprocess.Popen(command)
    deadline = time.monotonic() + 5
    while not settings.MEMCACHED_SOCKET.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return server


def pytest_collection_modifyitems(config, items):
    """Let tests that use the database use all of them, and group the serial ones."""
    groups = config.pluginmanager.hasplugin("xdist")
    for item in items:
        if groups and item.nodeid.startswith(SERIAL):
            item.add_marker(pytest.mark.xdist_group("serial"))
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
        absent = {name: text for name in marker.args if (text := missing(name))}
        if absent:
            reason = "; ".join(absent.values())
            if REQUIRED:
                pytest.fail(f"A required service is absent. {reason}", pytrace=False)
            pytest.skip(ABSENT.format(", ".join(absent)) + reason)


def pytest_report_header():
    return [
        f"database: {settings.DB}, sessions: {settings.ENGINE}",
        f"user model: {settings.AUTH_USER_MODEL}",
        f"session_limit: {Path(session_limit.__file__).parent}",
    ]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session):
    """End the run with one line about what it did not cover."""
    result = yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and not hasattr(session.config, "workerinput"):
        reporter.ensure_newline()
        reporter.write_line(not_run(reporter.stats.get("skipped", [])))
    return result


def not_run(skipped):
    """Describe in one line what a run with these ``skipped`` reports did not cover."""
    absent = re.compile(re.escape(ABSENT).replace(r"\{\}", "([^:]*)"))
    services, without = Counter(), 0
    for report in skipped:
        if found := absent.search(report.longrepr[2]):
            services.update(found[1].split(", "))
            without += 1
    parts = ["other databases, session engines, user models, Pythons and Djangos"]
    if len(skipped) > without:
        parts.insert(0, f"{len(skipped) - without} tests of those")
    if without:
        parts.insert(0, f"{without} tests for want of {', '.join(sorted(services))}")
    if not TESTS_WHEEL:
        parts.append("the built wheel")
    return f"Not run here, but by .ci/run: {'; '.join(parts)}."
