"""The demo prints its story, and it starts and stops cleanly."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
RUN = [sys.executable, "-m", "example"]
SECONDS = 120


def environment(**given: str) -> dict[str, str]:
    # The demo must not use the variables of a developer or of pytest-django.
    chosen = {"DJANGO_SETTINGS_MODULE": "nobody.has.this", "PORT": "0", "SERVE": "0"}
    return os.environ | chosen | given


def run(command: list[str] = RUN, **given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment(**given),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.mark.parametrize(
    ("wsgi", "server"), [("0", "uvicorn (ASGI)"), ("1", "gunicorn (WSGI)")]
)
def test_story(wsgi, server, tmp_path):
    stale = tmp_path / "db.sqlite3"
    stale.write_text("no database")
    done = run(WSGI=wsgi, EXAMPLE_DATABASE=str(stale))
    assert (done.returncode, done.stderr) == (0, "")
    assert server in done.stdout
    lines = [
        "grace +opens the public page +200, without Vary: Cookie",
        "ada's laptop +signs in +200 You are signed in as ada.",
        "ada's laptop +opens /live/ and leaves it open +200 Live from the pier",
        "ada's phone +signs in +200 You are signed in as ada.",
        r"ada's laptop +is told on its open page +displaced, after \d+ ms",
        "ada's laptop +calls /api/me/ from a script +401, and in JSON:",
        '"reason": "displaced"',
        "ada's laptop +reloads /members/ +401, and at the same address:",
        "You're signed out here",
        "Your account was signed in on a phone.",
        "Use here instead",
        "ada's phone +reloads /members/ +200 You are signed in as ada.",
        "ada's laptop +uses here instead: signs in +200 at /members/ again",
        "ada's phone +reloads /members/ +401, and at the same address:",
        "Your account was signed in on a computer.",
        "a thief +replays the laptop's first cookie +401, three times of three",
        "8 browsers +sign in as ada at once +one stays, the others are told",
        "grace +reloads /members/ +200 You are signed in as grace.",
        "Every line above has been checked.",
    ]
    assert re.search(".*".join(lines), done.stdout, re.DOTALL)
    assert stale.read_text() == "no database"


@pytest.mark.parametrize(
    ("bus", "what"),
    [
        pytest.param("redis", "SQLite and Redis", marks=pytest.mark.services("redis")),
        pytest.param(
            "postgres", "PostgreSQL", marks=pytest.mark.services("postgresql")
        ),
    ],
)
def test_a_bus_between_the_workers(bus, what):
    done = run(BUS=bus)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"on uvicorn (ASGI), {what}, at" in done.stdout
    told = re.findall(
        r"(is told on its open page|gets no more of the tide gauge) .*after (\d+) ms",
        done.stdout,
    )
    # The sweep alone takes half a second on average. Two shorter times are not by
    # chance.
    assert [what for what, _ in told] == [
        "is told on its open page",
        "gets no more of the tide gauge",
    ]
    assert all(int(took) < 400 for _, took in told), told


def test_a_bus_that_is_none():
    done = run(BUS="carrier pigeon")
    assert done.returncode == 1
    assert done.stderr == "\nBUS should be redis or postgres, not carrier pigeon.\n"


@pytest.mark.services("redis")
def test_a_bus_that_is_not_there():
    done = run(BUS="redis", REDIS_URL="redis://127.0.0.1:1/0")
    assert done.returncode == 1
    assert "BUS=redis is not available: " in done.stderr
    assert "Traceback" not in done.stderr


def test_serves_until_interrupted():
    with subprocess.Popen(
        RUN,
        cwd=ROOT,
        env=environment(SERVE="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A terminal's processes receive an interrupt. Those of a shell's background
        # job, and their children, would ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 no threads here
    ) as demo:
        try:
            shown = ""
            while "Try this:" not in shown:
                line = demo.stdout.readline()
                assert line, shown
                shown += line
            site, port = re.search(
                r"Serving on (http://127.0.0.1:(\d+)/)", shown
            ).groups()
            for word in ("ada", "tide-and-current", "grace", "wind-over-water"):
                assert word in shown.partition("Serving on")[2]
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(site, timeout=SECONDS) as response:
                assert response.status == 200

            second = run(PORT=port)
            assert second.returncode == 1
            assert second.stdout == ""
            assert f"Cannot listen on port {port} of 127.0.0.1" in second.stderr
            assert "make demo PORT=" in second.stderr
            assert "Traceback" not in second.stderr

            demo.send_signal(signal.SIGINT)
            rest, _ = demo.communicate(timeout=SECONDS)
            assert demo.returncode == 0
            assert rest.endswith("\nStopped.\n")
            with (
                pytest.raises(ConnectionRefusedError),
                contextlib.closing(socket.create_connection(("127.0.0.1", int(port)))),
            ):
                pass
        finally:
            demo.terminate()


@pytest.mark.parametrize("port", ["http", "65536", "-1"])
def test_port_that_is_none(port):
    done = run(PORT=port)
    assert done.returncode == 1
    assert done.stderr == f"\nPORT should be a number from 0 to 65535, not {port}.\n"


def run_with(settings: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    (tmp_path / "changed_settings.py").write_text(
        f"from example.settings import *\n{settings}\n"
    )
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    start = (
        "import sys; from example.demo import main; sys.exit(main('changed_settings'))"
    )
    return run([sys.executable, "-c", start], PYTHONPATH=path)


def test_deviation_fails(tmp_path):
    done = run_with(
        "MIDDLEWARE.remove('session_limit.middleware.SessionLimitMiddleware')", tmp_path
    )
    assert done.returncode == 1
    assert "did not go as expected: the code should be 'session_ended'" in done.stderr
    assert "401" not in done.stdout
    assert "Every line above has been checked." not in done.stdout


def test_unlimited_deviates(tmp_path):
    done = run_with("SESSION_LIMIT = None", tmp_path)
    assert done.returncode == 1
    assert "the code should be 'session_ended', and is 'live'" in done.stderr


def test_server_that_does_not_start_has_the_word():
    done = run(WSGI="1", GUNICORN_CMD_ARGS="--no-such-option")
    assert done.returncode == 1
    assert "The demo did not go as expected: " in done.stderr
    assert "unrecognized arguments: --no-such-option" in done.stderr
    assert "Traceback" not in done.stderr


def test_checks_have_nothing_to_say():
    command = [sys.executable, "-m", "django", "check", "--fail-level", "WARNING"]
    done = run(command, DJANGO_SETTINGS_MODULE="example.settings")
    assert done.returncode == 0, done.stderr
