"""
Record the headers that Chromium sends with each kind of request.

Run ``python -m tests.request_kinds.record`` to write ``recorded.json`` anew. The script
needs Chromium, and npm to fetch Turbo, htmx and Unpoly.
"""

from __future__ import annotations

import json
import subprocess
import tarfile
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.browser.chromium import launched

RECORDED = Path(__file__).with_name("recorded.json")
# The package, and the file to include.
LIBRARIES = {
    "turbo": ("@hotwired/turbo@8.0.23", "dist/turbo.es2017-umd.js"),
    "htmx2": ("htmx.org@2.0.10", "dist/htmx.js"),
    "htmx4": ("htmx.org@4.0.1", "dist/htmx.js"),
    "unpoly": ("unpoly@3.14.3", "unpoly.js"),
}
# The headers that say nothing about the kind of a request.
LEFT_OUT = {"host", "connection", "user-agent", "content-length", "accept-language"}
LEFT_OUT |= {"accept-encoding", "cookie", "cache-control", "pragma", "priority"}

WORKER = """
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.url.includes("worker-passes")) event.respondWith(fetch(request));
  if (request.url.includes("worker-adds-headers")) {
    const headers = new Headers(request.headers);
    headers.set("X-App", "1");
    event.respondWith(fetch(new Request(request, { headers, mode: "same-origin" })));
  }
  if (request.url.includes("worker-copies"))
    event.respondWith(fetch(request.url, { headers: request.headers }));
});
"""
BODY = """
<a id="link" href="/page?as=LIB+link">link</a>
<a id="boosted" hx-boost="true" up-follow href="/page?as=LIB+boost">boost</a>
<a id="partial" hx-get="/page?as=LIB+fragment" hx-target="#part" up-follow
  up-target="#part" href="/page?as=LIB+fragment">part</a>
<a id="frame" data-turbo-frame="part" href="/page?as=LIB+frame">frame</a>
<form id="form" method="post" action="/page?as=LIB+form" hx-boost="true" up-submit>
  <input name="a" value="b"><button>Send</button></form>
<turbo-frame id="part"><div id="part">part</div></turbo-frame><main>main</main>
"""


class Site:
    """A site on localhost, whose pages include one of the libraries."""

    def __init__(self, scripts):
        self.scripts = scripts
        self.recorded = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                length = int(self.headers.get("Content-Length") or 0)
                self.rfile.read(length)
                site.record(self)
                kind, body = site.answer(self.path)
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(body.encode())

            do_POST = do_GET  # noqa: N815 the base class chose the name

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://localhost:{self.server.server_port}"

    def record(self, handler):
        name = handler.path.partition("?as=")[2].replace("+", " ")
        if name and name not in self.recorded:
            self.recorded[name] = {
                "method": handler.command,
                "headers": {
                    key: value.replace(self.url, "http://testserver")
                    for key, value in handler.headers.items()
                    if key.lower() not in LEFT_OUT
                },
            }

    def answer(self, path):
        name, _, query = path.partition("?")
        library = name.strip("/")
        if name == "/worker.js":
            return "text/javascript", WORKER
        if name.startswith("/lib/"):
            return "text/javascript", self.scripts[name[5:]]
        if "EventSource" in query:
            return "text/event-stream", "data: 1\n\n"
        script = f'<script src="/lib/{library}"></script>' * (library in self.scripts)
        body = BODY.replace("LIB", library)
        return "text/html", f"<!doctype html><head>{script}</head><body>{body}"


def fetched(directory):
    scripts = {}
    for name, (package, path) in LIBRARIES.items():
        packed = subprocess.run(
            ["npm", "pack", "--silent", package],  # noqa: S607
            cwd=directory,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        with tarfile.open(Path(directory, packed)) as archive:
            found = archive.extractfile(f"package/{path}")
            assert found is not None
            scripts[name] = found.read().decode()
    return scripts


def record(site, browser):
    def opened(path):
        page = browser.new_context().new_page()
        page.goto(site.url + path)
        return page

    def wait(*names):
        until = time.monotonic() + 10
        while not set(names) <= set(site.recorded):
            assert time.monotonic() < until, set(names) - set(site.recorded)
            page.wait_for_timeout(50)

    page = opened("/page?as=navigation")
    page.evaluate("""async () => {
      await fetch("/x?as=fetch");
      await fetch("/x?as=fetch+of+JSON", {headers: {Accept: "application/json"}});
      await fetch("/x?as=fetch+of+HTML", {headers: {Accept: "text/html"}});
      const xhr = new XMLHttpRequest();
      xhr.open("GET", "/x?as=XMLHttpRequest"); xhr.send();
      const jquery = new XMLHttpRequest();
      jquery.open("GET", "/x?as=jQuery");
      jquery.setRequestHeader("X-Requested-With", "XMLHttpRequest"); jquery.send();
      new EventSource("/x?as=EventSource");
      new Image().src = "/x?as=image";
      for (const tag of ["iframe", "script", "embed"]) {
        const element = document.createElement(tag);
        element.src = `/x?as=${tag}`;
        document.body.append(element);
      }
      for (const rel of ["prefetch", "stylesheet"]) {
        const link = document.createElement("link");
        Object.assign(link, {rel, href: `/x?as=${rel}`});
        document.head.append(link);
      }
    }""")
    wait("fetch", "jQuery", "EventSource", "image", "iframe", "script", "prefetch")
    wait("stylesheet", "embed")
    page.click("#link")
    page.wait_for_url("**link")
    page.click("#form button")
    wait("page form")

    page = opened("/speculation")
    page.evaluate("""() => {
      const script = document.createElement("script");
      script.type = "speculationrules";
      script.textContent = JSON.stringify({
        prefetch: [{urls: ["/page?as=prefetched+navigation"], eagerness: "immediate"}],
        prerender: [{urls: ["/page?as=prerender"], eagerness: "immediate"}]});
      document.head.append(script);
    }""")
    wait("prefetched navigation", "prerender")

    page = opened("/page")
    page.evaluate("""async () => {
      await navigator.serviceWorker.register("/worker.js");
      await navigator.serviceWorker.ready;
      while (!navigator.serviceWorker.controller)
        await new Promise((resolve) => setTimeout(resolve, 20));
    }""")
    for name in ("worker-passes", "worker-adds-headers", "worker-copies"):
        page.goto(f"{site.url}/{name}?as={name.replace('-', '+')}+navigation")
    for name in ("worker-passes", "worker-adds-headers"):
        page.evaluate(f'fetch("/{name}?as={name.replace("-", "+")}+fetch")')
    wait("worker passes fetch", "worker adds headers fetch")

    page = opened("/turbo")
    page.hover("#link")
    wait("turbo link")
    site.recorded["turbo prefetch"] = site.recorded.pop("turbo link")
    page = opened("/turbo")
    page.evaluate('Turbo.visit("/page?as=turbo+visit")')
    wait("turbo visit")
    for target in ("frame", "form"):
        page = opened("/turbo")
        page.locator(f"#{target} button" if target == "form" else "#frame").click()
        wait(f"turbo {target}")
    for library in ("htmx2", "htmx4", "unpoly"):
        for target, name in (
            ("#boosted", "boost"),
            ("#partial", "fragment"),
            ("#form button", "form"),
        ):
            page = opened(f"/{library}")
            page.wait_for_timeout(300)
            page.click(target)
            wait(f"{library} {name}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory, launched() as browser:
        site = Site(fetched(directory))
        record(site, browser)
        source = {name: package for name, (package, _) in LIBRARIES.items()}
        source["chromium"] = browser.version
    text = json.dumps({"source": source, "requests": site.recorded}, indent=2)
    RECORDED.write_text(text + "\n", "utf-8")
