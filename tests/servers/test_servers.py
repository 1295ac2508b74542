"""Test under every server that open streams and sockets of an ended session stop."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from example.browser import Browser
from example.people import LAPTOP, PHONE, sign_in
from example.server import ROOT
from example.story import MEMBERS
from example.watching import feed, stream
from tests.browser.site import SETTINGS, prepare

pytestmark = pytest.mark.services("servers")

APPLICATION = "tests.servers.application:application"
SERVERS = {
    "uvicorn": "-m uvicorn {app} --port {port} --log-level warning",
    "daphne": "-m daphne -b 127.0.0.1 -p {port} {app}",
    "granian": "-m granian --interface asgi --port {port} {app}",
    "hypercorn": "-m hypercorn -b 127.0.0.1:{port} {app}",
    "gunicorn": "-m gunicorn -k asgi -b 127.0.0.1:{port} {app} --no-control-socket",
}
# daphne sends no reason with a close code.
REASONS = dict.fromkeys(SERVERS, "displaced") | {"daphne": ""}
ENDED = 4401
# In seconds: how soon a browser must learn of an ending. Most learn far sooner.
SOON = 2.0
# In seconds: how soon a server must stop while pages are open. Some servers wait for
# the applications that they have cancelled.
STOPPED = 12.0
EVENTS = "/account/sessions/events/"
STREAMS = 50


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    path = tmp_path_factory.mktemp("servers") / "db.sqlite3"
    prepare(path)
    return path


@contextlib.contextmanager
def serving(name, database, log, **variables):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = SERVERS[name].format(app=APPLICATION, port=port)
    environment = os.environ | SETTINGS | {"EXAMPLE_DATABASE": str(database)}
    environment |= variables
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, *command.split()],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as server,
    ):
        try:
            wait_for(port, server)
            yield server, f"127.0.0.1:{port}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)


def wait_for(port, server):
    deadline = time.monotonic() + 20
    while server.poll() is None and time.monotonic() < deadline:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), timeout=1),
        ):
            return
        time.sleep(0.05)
    raise AssertionError("The server did not start.")


def open_stream(browser, host):
    """Open an event stream over a new connection, and return the connection."""
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies)
    name, port = host.split(":")
    connection = socket.create_connection((name, int(port)), timeout=SOON)
    head = f"GET {EVENTS} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookies}\r\n\r\n"
    connection.sendall(head.encode())
    answer = b""
    while b"event: live" not in answer:
        answer += (part := connection.recv(4096))
        assert part, answer
    return connection


def connect(browser, host, path):
    from websockets.sync.client import connect as open_socket

    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies)
    headers = {"Cookie": cookies}
    return open_socket(f"ws://{host}{path}", additional_headers=headers)


def closed(connection):
    """
    Wait until the connection is closed. Return its close code, its reason, and how many
    seconds that took.
    """
    from websockets.exceptions import ConnectionClosed

    started = time.monotonic()
    with contextlib.suppress(ConnectionClosed):
        while True:
            connection.recv(timeout=SOON)
    took = time.monotonic() - started
    return connection.close_code, connection.close_reason, took


@pytest.mark.parametrize("name", SERVERS)
def test_what_is_open_stops(name, database, tmp_path):
    log = tmp_path / "server.log"
    with (
        serving(name, database, log) as (server, host),
        contextlib.ExitStack() as open_,
    ):
        laptop, phone = (Browser(f"http://{host}/", kind) for kind in (LAPTOP, PHONE))
        sign_in(laptop, laptop.open(MEMBERS), "ada")
        sockets = {
            path: open_.enter_context(connect(laptop, host, path))
            for path in ("/echo/", "/sending/", "/stuck/", "/silent/")
        }
        sockets["/echo/"].send("hello")
        assert sockets["/echo/"].recv(timeout=SOON) == "hello"
        page, gauge = stream(laptop), feed(laptop)

        sign_in(phone, phone.open(MEMBERS), "ada")
        for path, connection in sockets.items():
            code, reason, took = closed(connection)
            assert (path, code, reason) == (path, ENDED, REASONS[name])
            assert took < SOON
        page.wait()
        gauge.wait()
        assert page.what == "displaced"
        assert isinstance(gauge.what, float)
        assert abs(page.at - gauge.at) < SOON

        with connect(laptop, host, "/echo/") as refused:
            assert closed(refused)[:2] == (ENDED, REASONS[name])

        # The other session's socket goes on, without keeping the server from stopping.
        with connect(phone, host, "/echo/") as winner:
            winner.send("still")
            assert winner.recv(timeout=SOON) == "still"
            for _ in range(3):
                stream(phone)
        started = time.monotonic()
        server.send_signal(signal.SIGTERM)
        server.wait(STOPPED)
        print(f"{name} stopped after {time.monotonic() - started:.1f} s")
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.mark.parametrize("name", SERVERS)
def test_open_streams_do_not_keep_a_server_from_stopping(name, database, tmp_path):
    """
    ``SessionGuard`` ends open streams when the server stops.

    Otherwise each of them would last for a minute.
    """
    log = tmp_path / "server.log"
    with (
        serving(name, database, log, LIFE="60") as (server, host),
        contextlib.ExitStack() as open_,
    ):
        laptop = Browser(f"http://{host}/", LAPTOP)
        sign_in(laptop, laptop.open(MEMBERS), "ada")
        streams = [
            open_.enter_context(open_stream(laptop, host)) for _ in range(STREAMS)
        ]
        started = time.monotonic()
        server.send_signal(signal.SIGTERM)
        for stream in streams:
            with contextlib.suppress(ConnectionResetError):
                while stream.recv(4096):
                    pass
        assert time.monotonic() - started < SOON
        server.wait(STOPPED)
    assert "Traceback" not in log.read_text(), log.read_text()
