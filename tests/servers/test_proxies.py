"""
Test the gateway behind nginx and Caddy, configured as docs/how-to/gateway.md says.

The proxy asks the gateway before each segment of a film. The example site answers under
ASGI and under WSGI.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import uuid
from pathlib import Path

import pytest

from example.browser import Browser
from example.people import LAPTOP, PHONE, TABLET, sign_in
from tests.browser.site import prepare, served

pytestmark = pytest.mark.services("servers", "nginx", "caddy", "ffmpeg")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "gateway.md"
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"
PLAYS = "/account/sessions/plays/"
SEGMENTS = 12
# In seconds: how long the proxy may still serve a displaced play.
LIMIT = 1.0
PATIENCE = 15


def configurations(language, heading):
    """Return the code blocks in this language below a heading of the page."""
    section = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """Make a film of twelve seconds as HLS, and return its directory."""
    directory = tmp_path_factory.mktemp("media")
    command = [
        *("ffmpeg", "-loglevel", "error", "-f", "lavfi"),
        *("-i", f"testsrc=duration={SEGMENTS}:size=64x48:rate=10"),
        *("-g", "10", "-f", "hls", "-hls_time", "1", "-hls_list_size", "0"),
        *("-hls_segment_filename", directory / "film%03d.ts", directory / "film.m3u8"),
    ]
    subprocess.run(command, check=True, timeout=60)
    assert len(list(directory.glob("*.ts"))) == SEGMENTS
    return directory


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def site(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp(request.param)
    prepare(template := directory / "template.sqlite3")
    wsgi = request.param == "wsgi"
    with served(directory, template, wsgi=wsgi, SESSION_LIMIT_PLAYS=1) as site:
        yield site


def nginx(directory, site, media, port, reports):
    [text] = configurations("nginx", "nginx")
    for old, new in (
        ("127.0.0.1:8000", site),
        ("127.0.0.1:9000", reports),
        ("listen 80;", f"listen 127.0.0.1:{port};"),
        ("/srv/media", str(media)),
        ("http {\n", "http {\n    access_log off;\n"),
    ):
        assert old in text
        text = text.replace(old, new)
    (directory / "nginx.conf").write_text(text)
    alone = f"daemon off; pid {directory}/pid; error_log {directory}/log;"
    if os.geteuid() == 0:
        alone += " user root;"
    program = shutil.which("nginx", path=PATH)
    return [program, "-p", directory, "-c", directory / "nginx.conf", "-g", alone]


def nginx_that_keeps(directory, *args):
    command = nginx(directory, *args)
    path = directory / "nginx.conf"
    kept, in_gateway = configurations("nginx", "Caching the answer")
    text = path.read_text()
    for old, new in (
        ("http {\n", "http {\n" + kept.replace("/var/cache/nginx", str(directory))),
        ("location = /_gateway {\n", "location = /_gateway {\n" + in_gateway),
    ):
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return command


def caddy(directory, site, media, port, reports):
    [text] = configurations("text", "Caddy")
    for old, new in (
        ("127.0.0.1:8000", site),
        ("127.0.0.1:9000", reports),
        ("example.com {", f"http://127.0.0.1:{port} {{"),
        ("/srv/media", str(media)),
    ):
        assert old in text
        text = text.replace(old, new)
    (directory / "Caddyfile").write_text("{\n\tadmin off\n}\n" + text)
    program = shutil.which("caddy", path=PATH)
    return [program, "run", "--config", directory / "Caddyfile"]


@pytest.fixture(scope="module")
def reports():
    """Run an application that echoes its request's headers, and yield its address."""

    class Echo(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            said = json.dumps([*self.headers.items()]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(params=[nginx, caddy], ids=["nginx", "caddy"])
def before(request, tmp_path, media, reports):
    """Return a context manager that runs a proxy before a site and yields its port."""

    @contextlib.contextmanager
    def before(backend):
        port = free_port()
        command = request.param(tmp_path, backend, media, port, reports)
        homes = ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")
        environment = os.environ | dict.fromkeys(homes, str(tmp_path))
        with (
            (tmp_path / "output").open("wb") as output,
            subprocess.Popen(
                command, env=environment, stdout=output, stderr=output
            ) as process,
        ):
            try:
                until_open(port, process, tmp_path)
                yield port
            finally:
                process.terminate()

    return before


@pytest.fixture
def proxy(before, site):
    """Run a proxy before the site and the film, and yield its port."""
    site.restore()
    with before(site.url.removeprefix("http://")) as port:
        yield port


def until_open(port, process, directory):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.05)
    pytest.fail(f"The proxy did not start: {(directory / 'output').read_text()}")


class Player(Browser):
    """A browser that can also fetch other things than pages."""

    def fetch(self, path, method="GET", **headers):
        port = int(self.site.rpartition(":")[2].rstrip("/"))
        cookies = "; ".join(f"{each.name}={each.value}" for each in self.cookies)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, headers={"Cookie": cookies, **headers})
            answer = connection.getresponse()
            answer.content = answer.read()
            return answer

    def press(self):
        answer = self.send(PLAYS, {"what": "film"})
        assert answer.status == 200, answer.body
        return answer.json["play"]


@pytest.fixture
def arrive(proxy):
    def arrive(user_agent):
        player = Player(f"http://127.0.0.1:{proxy}/", user_agent)
        page = sign_in(player, player.open("/members/"), "theo")
        assert page.status == 200, page.text
        return player

    return arrive


def displace(loser, winner, seconds):
    """
    Let a browser play, and displace its play while it fetches segments.

    Return both plays, the names of the segments, and the answers: when each came, in
    seconds after the displacement was answered, and its status.
    """
    play = loser.press()
    playlist = loser.fetch(f"/media/{play}/film.m3u8")
    assert playlist.status == 200
    names = [
        line for line in playlist.content.decode().splitlines() if line.endswith(".ts")
    ]
    assert len(names) == SEGMENTS
    served, stop = [], threading.Event()

    def watch():
        # Repeat, because a film of twelve seconds is short.
        while not stop.is_set():
            for name in names:
                answer = loser.fetch(f"/media/{play}/{name}")
                served.append((time.monotonic(), answer.status))
                time.sleep(0.03)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        deadline = time.monotonic() + PATIENCE
        while len(served) < 2 * SEGMENTS:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        other = winner.press()
        displaced = time.monotonic()
        time.sleep(seconds)
    finally:
        stop.set()
        thread.join()
    answers = [(at - displaced, status) for at, status in served]
    assert {status for at, status in answers[: 2 * SEGMENTS]} == {200}
    last = max(at for at, status in answers if status == 200)
    print(f"the last segment came {last:+.3f} s after the displacement")
    return play, other, names, answers


def test_the_loser_gets_no_further_segment(arrive):
    loser, winner = arrive(LAPTOP), arrive(PHONE)
    play, other, names, answers = displace(loser, winner, LIMIT + 1)
    late = {status for at, status in answers if at > LIMIT}
    assert late == {403}
    refused = loser.fetch(f"/media/{play}/film.m3u8")
    assert refused.status == 403
    assert refused.headers["X-Session-Limit-Reason"] == "displaced"
    assert "no-store" in refused.headers["Cache-Control"]
    assert b"displaced" in refused.content
    assert winner.fetch(f"/media/{other}/{names[0]}").status == 200
    # The id of another user's play opens nothing.
    assert loser.fetch(f"/media/{other}/{names[0]}").status == 403


@pytest.mark.parametrize("before", [nginx_that_keeps], indirect=True)
def test_an_answer_that_is_kept_costs_what_the_page_says(arrive):
    """
    nginx serves a displaced play for as long as it keeps the gateway's answer.

    That is two seconds, and up to one more because nginx counts in whole seconds.
    """
    loser, winner = arrive(LAPTOP), arrive(PHONE)
    _, other, names, answers = displace(loser, winner, 5)
    assert {status for at, status in answers if at > 3.5} == {403}
    # Kept answers are served after the displacement.
    assert any(status == 200 for at, status in answers if at > 0.5)
    # A new play has an address without a kept answer, so the gateway decides at once.
    assert winner.fetch(f"/media/{other}/{names[0]}").status == 200
    assert loser.fetch(f"/media/{other}/{names[0]}").status == 403
    again = loser.press()
    assert loser.fetch(f"/media/{again}/{names[0]}").status == 200


def test_what_may_be_had(arrive, media):
    player = arrive(TABLET)
    segment = (media / "film003.ts").read_bytes()
    assert player.fetch("/hls/film003.ts").status == 403  # it plays nothing yet
    play = player.press()
    for path in (f"/media/{play}/film003.ts", "/hls/film003.ts"):
        answer = player.fetch(path)
        assert (answer.status, answer.content) == (200, segment), path
        assert "set-cookie" not in answer.headers
        assert answer.headers["Cache-Control"] == "private"
        assert player.fetch(path, "HEAD").status == 200
        part = player.fetch(path, Range="bytes=10-19")
        assert (part.status, part.content) == (206, segment[10:20])
    # Neither a path that leads to another play nor an id that is no play of theirs
    # opens the film.
    assert player.fetch(f"/media/{play}/..%2f{play}").status in {400, 403, 404}
    for id in (uuid.uuid4(), "any", "-" * 36, f"{play}%26play%3Dany", "x" * 36):
        answer = player.fetch(f"/media/{id}/film003.ts")
        assert answer.status in {403, 404}, id
        assert segment not in answer.content
    player.send(f"{PLAYS}{play}/stop/", {})
    answer = player.fetch(f"/media/{play}/film003.ts")
    assert (answer.status, answer.headers["X-Session-Limit-Reason"]) == (403, "stopped")


def test_who_is_not_signed_in_gets_nothing(arrive):
    player = arrive(LAPTOP)
    play = player.press()
    address = f"/media/{play}/film.m3u8"
    assert player.fetch(address).status == 200
    nobody = Player(player.site, LAPTOP)
    for path in (address, "/hls/film.m3u8", "/reports/"):
        answer = nobody.fetch(path)
        assert answer.status == 401
        assert answer.headers["X-Session-Limit-Reason"] == "not_signed_in"
    thief = player.copy()
    player.submit(player.open("/members/"), action="/sign-out/")
    stolen = Player(player.site, LAPTOP)
    for cookie in thief.cookies:
        stolen.cookies.set_cookie(cookie)
    answer = stolen.fetch(address)
    assert answer.status == 401
    assert answer.headers["X-Session-Limit-Reason"] == "signed_out"


def test_another_application_is_told_who_it_is_and_nothing_a_client_makes_up(arrive):
    player = arrive(LAPTOP)
    forged = {
        "X-Session-Limit-User": "1",
        "x-session-limit-user": "2",
        "X-Session-Limit-Reason": "none",
    }
    for headers in ({}, forged):
        answer = player.fetch("/reports/of/may?x=1", **headers)
        assert answer.status == 200
        told = [
            (name.lower(), value)
            for name, value in json.loads(answer.content)
            if name.lower().startswith("x-session-limit") and value
        ]
        [(name, user)] = told
        assert name == "x-session-limit-user"
        assert user not in {"1", "2"}


def test_without_the_site_nothing_is_served(before, media):
    """The proxy serves nothing if the gateway does not answer."""
    segment = (media / "film003.ts").read_bytes()
    with before(f"127.0.0.1:{free_port()}") as port:
        player = Player(f"http://127.0.0.1:{port}/", LAPTOP)
        for path in (f"/media/{uuid.uuid4()}/film003.ts", "/hls/film003.ts"):
            answer = player.fetch(path)
            assert answer.status in {500, 502}
            assert segment not in answer.content


def test_a_player_of_its_own_stops(arrive):
    """A player that knows nothing of plays stops. ffmpeg reads as fast as it plays."""
    loser, winner = arrive(LAPTOP), arrive(PHONE)
    address = f"{loser.site}media/{loser.press()}/film.m3u8"
    cookies = "; ".join(f"{each.name}={each.value}" for each in loser.cookies)
    command = [
        *("ffmpeg", "-nostdin", "-loglevel", "info", "-re"),
        *("-headers", f"Cookie: {cookies}\r\n", "-i", address, "-f", "null", "-"),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as ffmpeg:
        try:
            time.sleep(2.5)
            winner.press()
            _, said = ffmpeg.communicate(timeout=PATIENCE)
        finally:
            ffmpeg.kill()
    assert "403 Forbidden" in said
    frames = int(re.findall(r"frame= *(\d+)", said)[-1])
    # The film has ten frames a second, and the player got only those before the end.
    assert 10 <= frames <= 60, said
