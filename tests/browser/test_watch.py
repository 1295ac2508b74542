"""Test that an open page learns of its session's end, whatever its browser does."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time

import pytest

from example.people import PASSWORDS
from tests.browser.site import Site
from tests.browser.visitor import LAPTOP, PHONE

ADA, GRACE = PASSWORDS["ada"], PASSWORDS["grace"]
DIALOG = "dialog.session-limit-dialog"
# In milliseconds: a stream reports an ending at once, and the sweep within a second.
# The rest is for the browser on a busy machine.
AT_ONCE = 4000
# In milliseconds: how long a page waits for its stream before it asks instead.
PATIENCE = 5500


def signed_in(visitor, site, device=LAPTOP, address="/members/", **options):
    arrived = visitor(site, device, **options)
    arrived.sign_in("ada", ADA, address)
    return arrived


def until(page, holds, timeout=AT_ONCE):
    """
    Wait until this JavaScript expression is true.

    Polls from here, because Playwright waits for frames, and a page that is not visible
    draws none.
    """
    deadline = time.monotonic() + timeout / 1000
    while not page.evaluate(holds):
        assert time.monotonic() < deadline, holds
        page.wait_for_timeout(10)


def watches(page):
    """Wait until one of the browser's pages has opened its stream."""
    until(page, "navigator.locks.query().then(q => q.held.length)")
    page.wait_for_timeout(300)


def told(page, timeout=AT_ONCE):
    """Wait for the dialog. Return it, and how many milliseconds that took."""
    started = time.monotonic()
    until(page, f"document.querySelector('{DIALOG}')?.open", timeout)
    return page.locator(DIALOG), (time.monotonic() - started) * 1000


def test_an_open_page_is_told(serve, visitor):
    site = serve()
    laptop = signed_in(visitor, site, address="/live/")
    page = laptop.page
    until(page, "!document.querySelector('video').paused")
    until(page, "document.querySelector('#state').textContent === 'Live'")
    watches(page)
    signed_in(visitor, site, PHONE)
    dialog, took = told(page)
    print(f"told within {took:.0f} ms of the sign-in's answer")
    assert "You're signed out here" in dialog.inner_text()
    assert "Your account was signed in on a phone." in dialog.inner_text()
    assert page.evaluate("document.querySelector('video').paused")
    until(page, "document.querySelector('#state').textContent === 'Stopped'")
    still = page.locator("#height").inner_text()
    # A film that is started again is paused again.
    page.evaluate("document.querySelector('video').play().catch(() => {})")
    until(page, "document.querySelector('video').paused")
    assert page.locator("#height").inner_text() == still
    assert page.evaluate("document.activeElement.id") == "session-limit-over"
    laptop.look()
    laptop.press("Use here instead", within=DIALOG)
    assert laptop.path == "/sign-in/?next=%2Flive%2F"


def test_by_keyboard_and_closed_without_a_loss(serve, visitor):
    site = serve()
    laptop = signed_in(visitor, site, address="/log/")
    page = laptop.page
    page.get_by_label("Place").fill("Off the bar")
    page.get_by_label("What happened").fill("Fog, and a long swell from the west.")
    watches(page)
    signed_in(visitor, site, PHONE)
    dialog, _ = told(page)
    kept = dialog.get_by_label("What you have written on this page, to copy it:")
    assert "Fog, and a long swell" in kept.input_value()
    assert "Off the bar" in kept.input_value()
    laptop.look()
    page.keyboard.press("Escape")
    bar = page.locator(".session-limit-over")
    bar.wait_for()
    assert "You're signed out here" in bar.inner_text()
    assert page.get_by_label("Place").input_value() == "Off the bar"
    laptop.look()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert laptop.path == "/sign-in/?next=%2Flog%2F"


def test_others_are_left_alone(serve, visitor):
    site = serve()
    grace = visitor(site, LAPTOP)
    grace.sign_in("grace", GRACE)
    watches(grace.page)
    signed_in(visitor, site)
    signed_in(visitor, site, PHONE)
    grace.page.wait_for_timeout(1500)
    assert not grace.page.locator(DIALOG).count()


def test_twenty_tabs_hold_one_connection_and_all_are_told(serve, visitor):
    site = serve()
    laptop = signed_in(visitor, site)
    asked = []
    laptop._context.on(
        "request",
        lambda r: asked.append(r.url) if r.url.endswith("/events/") else None,
    )
    pages = [laptop.page]
    for _ in range(19):
        laptop.tab()
        laptop.page.goto("/members/")
        pages.append(laptop.page)
    watches(laptop.page)
    assert len(asked) <= 1  # the first tab may have asked before the test listened
    # The tab with the stream closes, and another opens one.
    pages.pop(0).close()
    pages[-1].wait_for_timeout(500)
    assert 1 <= len(asked) <= 2
    signed_in(visitor, site, PHONE)
    for page in pages:
        dialog, _ = told(page)
        assert "Your account was signed in on a phone." in dialog.inner_text()


def test_signing_in_again_in_one_tab_is_enough(serve, visitor):
    site = serve()
    laptop = signed_in(visitor, site)
    first = laptop.tab()
    laptop.open("/members/")
    watches(first)
    phone = signed_in(visitor, site, PHONE)
    told(first)
    told(laptop.page)
    laptop.press("Use here instead", within=DIALOG)
    laptop.fill("User name", "ada")
    laptop.fill("Password", ADA)
    laptop.press("Sign in")
    until(first, f"!document.querySelector('{DIALOG}')")
    told(phone.page)
    # Neither browser takes over by itself.
    phone.page.wait_for_timeout(1500)
    assert not first.locator(DIALOG).count()


def test_a_browser_that_was_offline(serve, visitor):
    site = serve()
    laptop = signed_in(visitor, site)
    watches(laptop.page)
    laptop._context.set_offline(True)
    signed_in(visitor, site, PHONE)
    laptop.page.wait_for_timeout(1500)
    laptop._errors.clear()  # net::ERR_INTERNET_DISCONNECTED
    laptop._context.set_offline(False)
    told(laptop.page)


def test_a_machine_that_slept(serve, visitor):
    """
    A machine that wakes up asks for its session, because its clock has jumped.

    Nothing else shows that the stream broke.
    """
    site = serve()
    laptop = visitor(site, LAPTOP)
    laptop.page.clock.install()
    laptop.sign_in("ada", ADA)
    page = laptop.page
    page.route("**/events/", lambda route: route.abort())
    page.reload()
    page.wait_for_timeout(500)
    signed_in(visitor, site, PHONE)
    page.clock.fast_forward(3_600_000)
    told(page)
    laptop._errors.clear()


def test_a_page_that_was_in_the_background(serve, visitor):
    site = serve()
    laptop = signed_in(visitor, site)
    page = laptop.page
    page.route("**/events/", lambda route: route.abort())
    page.route("**/status/", lambda route: route.abort())
    page.reload()
    signed_in(visitor, site, PHONE)
    page.unroute("**/status/")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    told(page)
    laptop._errors.clear()


def test_where_no_stream_can_be_had(serve, visitor):
    """
    A page without a stream asks from time to time.

    A proxy may hold the stream back, and a WSGI server has none.
    """
    site = serve()
    laptop = signed_in(visitor, site)
    page = laptop.page
    page.route("**/events/", lambda route: route.fulfill(status=204))
    page.reload()
    page.wait_for_timeout(300)
    signed_in(visitor, site, PHONE)
    _, took = told(page, timeout=20_000)
    print(f"told by asking, within {took:.0f} ms")


def test_a_project_that_tells_by_itself(serve, visitor):
    site = serve()
    laptop = signed_in(visitor, site, address="/live/")
    page = laptop.page
    page.evaluate(
        """document.addEventListener("session-limit:ended", (event) => {
            event.preventDefault();
            window.told = event.detail;
        })"""
    )
    watches(page)
    signed_in(visitor, site, PHONE)
    until(page, "window.told")
    assert page.evaluate("window.told.reason") == "displaced"
    page.wait_for_timeout(500)
    assert not page.locator(DIALOG).count()
    assert not page.evaluate("document.querySelector('video').paused")


def test_a_status_that_does_not_come_is_no_reason_to_be_silent(serve, visitor):
    site = serve()
    laptop = signed_in(visitor, site)
    page = laptop.page
    watches(page)
    page.route("**/status/", lambda route: route.abort())
    signed_in(visitor, site, PHONE)
    dialog, _ = told(page)
    assert "Your session on this device has ended." in dialog.inner_text()
    laptop._errors.clear()


NGINX = """
daemon off;
pid {directory}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory};
    proxy_temp_path {directory};
    fastcgi_temp_path {directory};
    uwsgi_temp_path {directory};
    scgi_temp_path {directory};
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass {site};
            proxy_set_header Host $http_host;
            proxy_buffering on;
            proxy_ignore_headers X-Accel-Buffering;
        }}
    }}
}}
"""


@contextlib.contextmanager
def behind_nginx(site, directory):
    """Serve the site behind an nginx that buffers all it can, and yield it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    configuration = directory / "nginx.conf"
    configuration.write_text(
        NGINX.format(directory=directory, port=port, site=site.url)
    )
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    with subprocess.Popen([nginx, "-c", configuration]) as proxy:
        try:
            while True:
                with contextlib.suppress(ConnectionRefusedError):
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                time.sleep(0.05)
            yield Site(f"http://127.0.0.1:{port}", site.database, None)
        finally:
            proxy.terminate()


@pytest.mark.services("nginx")
def test_behind_a_proxy_that_buffers(serve, visitor, tmp_path):
    with behind_nginx(serve(), tmp_path) as site:
        laptop = signed_in(visitor, site)
        laptop.page.wait_for_timeout(PATIENCE)
        signed_in(visitor, site, PHONE)
        _, took = told(laptop.page, timeout=20_000)
        print(f"told behind a proxy that buffers, within {took:.0f} ms")


def test_a_server_that_is_restarted(serve, visitor):
    site = serve()
    laptop = signed_in(visitor, site)
    watches(laptop.page)
    # Kill the workers. uvicorn's first process starts others in their place.
    workers = [
        "pkill",
        "--parent",
        str(site.server.pid),
        "--full",
        "multiprocessing.spawn",
    ]
    subprocess.run(workers, check=True)
    phone = visitor(site, PHONE)
    phone.sign_in("ada", ADA)
    _, took = told(laptop.page, timeout=20_000)
    print(f"told after a restart, within {took:.0f} ms")
    laptop._errors.clear()
