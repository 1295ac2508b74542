"""Test that an acknowledged ending survives a crash and a failover of PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.cap.browsers import Browser
from tests.cap.databases import ROOT
from tests.cap.servers import environment, serve
from tests.clusters.postgres import OnServer, servers

pytestmark = pytest.mark.services("standby", "servers")

NAME = "session_limit_cluster"


def project_on(server, **settings):
    return environment(
        {
            **OnServer(server, NAME).environment(),
            "CAP_ISOLATION": "read committed",
            "CAP_ATOMIC_REQUESTS": "0",
            "CAP_LAST_LOGIN": "1",
            "CAP_PACKAGE": "session_limit",
            "SESSION_LIMIT": "1",
            "SESSION_LIMIT_AT_LIMIT": "displace",
            **settings,
        }
    )


def set_up(primary):
    primary.execute(f"CREATE DATABASE {NAME}")
    OnServer(primary, NAME).migrate(project_on(primary))
    [(_, username)] = OnServer(primary, NAME).create_users(1)
    return username


def sign_in(port, username):
    browser = Browser(port)
    form = {"username": username}
    assert browser.request("POST", "/sync/sign-in/", form).status == 200
    return browser.cookie


def whoami(port, cookie):
    return Browser(port, cookie).request("GET", "/sync/whoami/").status


def until_synchronous(primary):
    deadline = time.monotonic() + 20
    query = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"
    while not primary.execute(query):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def check(server, **settings):
    """Return the output of ``manage.py check --database``."""
    ran = subprocess.run(
        [sys.executable, "-m", "django", "check", "--database", "default"],
        cwd=ROOT,
        env=project_on(server, **settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return ran.stderr


def test_a_crash():
    """
    An acknowledged ending survives a crash under ``synchronous_commit = off``.

    Fails if the package leaves its commits to the server's setting, because the process
    that would write them later is suspended.
    """
    with servers(1) as (server,):
        server.initialize(synchronous_commit="off")
        username = set_up(server)
        with serve("wsgi", project_on(server), processes=1) as application:
            ended = sign_in(application.port, username)
            server.execute("CHECKPOINT")
            with server.frozen("walwriter"):
                sign_in(application.port, username)
                assert whoami(application.port, ended) == 401
                server.kill()
            server.control("start")
            assert whoami(application.port, ended) == 401
        assert "session_limit.W308" in check(server)
        assert "session_limit.W308" not in check(
            server, PGOPTIONS="-c synchronous_commit=on"
        )


def test_a_failover():
    """
    An acknowledged ending survives a failover to a synchronous standby.

    The server's default is ``synchronous_commit = local``. Fails if the package leaves
    its commits to that, because the server then acknowledges an ending that the standby
    has not received.
    """
    with servers(2) as (primary, standby), ThreadPoolExecutor(1) as pool:
        primary.initialize(synchronous_commit="local")
        username = set_up(primary)
        standby.follow(primary)
        primary.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        primary.execute("SELECT pg_reload_conf()")
        until_synchronous(primary)
        with serve("wsgi", project_on(primary), processes=1) as application:
            ended = sign_in(application.port, username)
            with standby.frozen("walreceiver"):
                signing_in = pool.submit(sign_in, application.port, username)
                with pytest.raises(TimeoutError):
                    signing_in.result(1)
            assert signing_in.result(20)
            assert whoami(application.port, ended) == 401
            primary.kill()
        standby.promote()
        with serve("wsgi", project_on(standby), processes=1) as application:
            assert whoami(application.port, ended) == 401
