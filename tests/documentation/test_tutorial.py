"""Follow the tutorial: create its files, run its commands, use its two browsers."""

from __future__ import annotations

import ast
import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import session_limit
from example.browser import Browser
from example.people import LAPTOP
from example.watching import stream
from tests.documentation.pages import ROOT, blocks, quotations, sections

PAGE = ROOT / "docs" / "tutorial" / "two-browsers.md"
PASSWORD = "a password that the reader chooses"
# The tests run in an environment that has the package and uvicorn already.
SETTING_UP = ("python -m venv ", "source ", "python -m pip install ")
SERVER = "python -m uvicorn "
PATIENCE = 30
STATUS = "/account/sessions/status/"


class Reader:
    """Somebody who does what the page says, in a directory of their own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / "server.log"
        self.site = ""
        self._server: subprocess.Popen[bytes] | None = None
        programs = Path(sys.executable).parent
        self._environment = {
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            # What is tested, whether it is installed or not.
            "PYTHONPATH": str(Path(session_limit.__file__).parents[1]),
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        }
        # pytest-django's is not a reader's.
        self._environment.pop("DJANGO_SETTINGS_MODULE", None)

    def follow(self, section: str) -> None:
        """Create the files and run the commands of a section, in order."""
        for block in blocks(section):
            if block.language == "console":
                self._run_all(block.text)
            elif block.file == "mysite/settings.py":
                self._set(block.text)
            elif block.file is not None:
                path = self.directory / block.file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text)

    def stop(self) -> None:
        """Press Ctrl+C in the window of the server."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            try:
                self._server.wait(PATIENCE)
            finally:
                self._server.kill()
            self._server = None

    def _set(self, code: str) -> None:
        """Replace the settings that the file has already, and append the others."""
        path = self.directory / "mysite" / "settings.py"
        for statement in ast.parse(code).body:
            new = ast.get_source_segment(code, statement)
            settings = path.read_text()
            old = [
                ast.get_source_segment(settings, there)
                for there in ast.parse(settings).body
                if isinstance(there, ast.Assign)
                and ast.dump(there.targets[0]) == ast.dump(statement.targets[0])
            ]
            if old:
                settings = settings.replace(old[-1], new)
            else:
                settings += f"{new}\n"
            path.write_text(settings)

    def _run_all(self, console: str) -> None:
        """Run each command, and compare what it prints with what the page shows."""
        commands = re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]
        for command, _, output in (each.partition("\n") for each in commands):
            if command.startswith("cd "):
                self.directory /= command.removeprefix("cd ")
            elif command.startswith(SERVER):
                self._start(command)
            elif not command.startswith(SETTING_UP):
                assert output in self._run(command)

    def _run(self, command: str) -> str:
        if "createsuperuser" in command:
            command += " --noinput"  # the password comes from the environment
        finished = subprocess.run(
            shlex.split(command),
            cwd=self.directory,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=4 * PATIENCE,
            check=False,
        )
        assert finished.returncode == 0, f"{command}\n{finished.stdout}"
        return finished.stdout

    def _start(self, command: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with self.log.open("ab") as output:
            self._server = subprocess.Popen(
                shlex.split(command),
                cwd=self.directory,
                env=self._environment | {"UVICORN_PORT": str(port)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.site = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._server.poll() is None:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", port), timeout=1),
            ):
                return
            time.sleep(0.05)
        pytest.fail(f"the server did not start\n{self.log.read_text()}")


@pytest.fixture
def reader(tmp_path):
    reader = Reader(tmp_path)
    yield reader
    reader.stop()


def sign_in(browser):
    """Open the site, and sign in on the page that it leads to."""
    page = browser.open("/")
    assert page.heading == "Sign in"
    return browser.submit(page, username="ada", password=PASSWORD)


def test_the_tutorial_works_for_a_reader_who_follows_it(reader):
    steps = sections(PAGE.read_text())
    *preparing, signing_in, refusing, _ = steps
    for heading in preparing:
        reader.follow(steps[heading])

    # 6. Sign in with two browsers.
    usage, explanation = quotations(steps[signing_in])
    first, second = (Browser(reader.site, LAPTOP) for _ in range(2))
    page = sign_in(first)
    assert page.heading == "Hello, ada"
    assert usage in page.text
    scripts_and_styles = re.findall(r'"(/static/session_limit/[^"]+)"', page.body)
    assert {Path(path).suffix for path in scripts_and_styles} == {".js", ".css"}
    for path in scripts_and_styles:
        asset = first.open(path)
        assert asset.status == 200
        assert re.match("text/(javascript|css)", asset.headers["Content-Type"])

    open_page = stream(first)
    page = sign_in(second)
    assert page.heading == "Hello, ada"
    open_page.wait()
    assert open_page.what == "displaced"
    told = first.call(STATUS).json
    assert f"{told['heading']} {told['detail']}" == explanation

    reloaded = first.open("/")
    assert reloaded.status == 401
    assert reloaded.text.startswith(explanation)
    assert "<title>You&#x27;re signed out here</title>" in reloaded.body
    sign_in_page = first.open(reloaded.links["Use here instead"])
    page = first.submit(sign_in_page, username="ada", password=PASSWORD)
    assert usage in page.text
    assert second.open("/").status == 401

    # 7. Allow two devices, and refuse a third.
    reader.stop()
    reader.follow(steps[refusing])
    usage, refusal = quotations(steps[refusing])
    for browser in (first, second):
        browser.site = reader.site
    assert usage in sign_in(second).text
    assert usage in first.open("/").text

    third = Browser(reader.site, LAPTOP)
    page = sign_in(third)
    assert page.status == 403
    assert page.text.startswith(refusal)

    sessions = first.open(first.open("/").links["Your sessions"])
    ending = next(action for action, _ in sessions.forms if "logout" not in action)
    assert first.submit(sessions, ending).status == 200
    assert second.open("/").status == 401
    assert usage in sign_in(third).text
    assert "Traceback" not in reader.log.read_text()
