"""
Test that no answer to a path such as ``//evil.example/`` leads to another site.

A server passes such a path to the project as the client wrote it, or in its own form.
"""

from __future__ import annotations

import contextlib
import html
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from urllib.parse import urlencode

import pytest

from example.server import ROOT
from tests.leads import leads_of
from tests.servers.test_servers import wait_for
from tests.whatwg import host_of

pytestmark = pytest.mark.services("servers")

ASGI, WSGI = "tests.servers.remote:asgi", "tests.servers.remote:wsgi"
SERVERS = {
    "uvicorn": f"-m uvicorn {ASGI} --port {{port}} --log-level warning",
    "daphne": f"-m daphne -b 127.0.0.1 -p {{port}} {ASGI}",
    "hypercorn": f"-m hypercorn -b 127.0.0.1:{{port}} {ASGI}",
    "granian": f"-m granian --interface asgi --port {{port}} {ASGI}",
    "gunicorn": f"-m gunicorn -b 127.0.0.1:{{port}} {WSGI} --no-control-socket",
    "gunicorn, ASGI": "-m gunicorn -k asgi -b 127.0.0.1:{port} --no-control-socket "
    + ASGI,
    "granian, WSGI": f"-m granian --interface wsgi --port {{port}} {WSGI}",
}
CHOOSER = b"/account/sessions/choose/"
MEMBERS = b"/members/"
# The bytes of the request line. Every server passes on the first path.
PATHS = [
    b"//evil.example/x",
    b"///evil.example/members/?next=//evil.example/y",
    b"/\\evil.example/x",
    b"/%2Fevil.example/x",
    b"/%5Cevil.example/%0d%0a",
    b"/%09/evil.example%00@127.0.0.1/x",
    b"//evil.example\xff/%ED%A0%80",
    b"http://evil.example//evil.example/x",
    b"//evil.example/?" + b"q=a" * 1000,
]
HEADERS = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0",
    "Accept": "text/html",
    "Connection": "close",
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    path = tmp_path_factory.mktemp("paths") / "db.sqlite3"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.servers.remote_settings",
        "REMOTE_DATABASE": str(path),
    }
    command = [sys.executable, "-m", "django", "migrate", "-v0"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=60)
    return environment


@contextlib.contextmanager
def serving(name, environment, log):
    """Serve the project with this server, and yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, *SERVERS[name].format(port=port).split()],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as server,
    ):
        try:
            wait_for(port, server)
            yield port
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)


class Client:
    """
    A client that writes requests as bytes, so that no library corrects their paths.
    Keeps cookies.
    """

    def __init__(self, port, user):
        self.port = port
        self.user = user
        self.cookies = {}

    def ask(self, path, method=b"GET", fields=None, **headers):
        """
        Return the answer's status, headers and body.

        The status is ``None`` if the server closes the connection without an answer.
        """
        body = urlencode(fields or {}, doseq=True).encode()
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        lines = {
            "Host": f"127.0.0.1:{self.port}",
            "X-Remote-User": self.user,
            **HEADERS,
            **headers,
            **({"Cookie": cookies} if cookies else {}),
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Length": str(len(body)),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        request = b"%s %s HTTP/1.1\r\n%s\r\n" % (method, path, head.encode())
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as wire:
            try:
                wire.sendall(request + body)
                response = http.client.HTTPResponse(wire)
                response.begin()
                text = response.read().decode(errors="replace")
            except (ConnectionError, http.client.HTTPException):
                # The server has refused the request line and closed the connection.
                return None, {}, ""
        for cookie in response.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return response.status, response.headers, text


def assert_stays(port, answer):
    status, headers, body = answer
    assert status != 500
    for url in leads_of(headers, body):
        host = host_of(url, f"http://127.0.0.1:{port}/")
        assert host == f"127.0.0.1:{port}", url
        assert not url.startswith(("//", "/\\")), url


def two_browsers(port, at_limit, path):
    """Return a browser that holds the account's only place, and one without a place."""
    user = f"{at_limit}-{port}-{PATHS.index(path) if path else ''}"
    laptop, phone = Client(port, user), Client(port, user)
    assert laptop.ask(MEMBERS)[0] == 200
    return laptop, phone


def choose(browser):
    """End all other sessions from the chooser, and return the redirect that follows."""
    page = browser.ask(CHOOSER)[2]
    found = re.findall(r'name="(choice|end)" value="([^"]+)"', page)
    fields = {field: html.unescape(value) for field, value in found}
    answer = browser.ask(CHOOSER, b"POST", fields)
    assert answer[0] == 302
    return answer


@pytest.mark.parametrize("name", SERVERS)
def test_a_path_leads_nowhere_else(name, environment, tmp_path):
    log = tmp_path / "server.log"
    with serving(name, environment, log) as port:
        for path in PATHS:
            laptop, phone = two_browsers(port, "ask", path)
            answer = phone.ask(path)
            assert_stays(port, answer)
            if path == PATHS[0]:
                # This path has reached the project.
                assert answer[0] == 303
            if answer[0] == 303:
                assert_stays(port, choose(phone))

            laptop, phone = two_browsers(port, "deny", path)
            answer = phone.ask(path)
            assert_stays(port, answer)
            assert answer[0] in {403, None} or 400 <= answer[0] < 500

        laptop, phone = two_browsers(port, "displace", b"")
        assert phone.ask(MEMBERS)[0] == 200
        for path in PATHS[:3]:
            answer = laptop.ask(path, Accept="application/json")
            assert_stays(port, answer)
    assert "Traceback" not in log.read_text(), log.read_text()
