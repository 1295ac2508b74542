"""
Count what a request does with the package, and with plain Django.

``FIGURES`` holds what each request does: SQL statements without transaction control,
operations on the cache, and, under ASGI, the functions that the event loop runs in
another thread. A ``displacing`` sign-in ends another session, and one ``at limit 5``
the oldest of five. ``calls`` is how many more Python functions a page calls than with
plain Django.

A figure that grows is a regression. If one shrinks, update the table.
"""

from __future__ import annotations

import re
import sys
from contextlib import ExitStack

import django
import pytest

from benchmarks.contenders import ENGINES, FIVE, OURS, PLAIN, WITH_PLAYS
from benchmarks.cost import PAGES
from benchmarks.servers import database, variables, worker

FIGURES = """
engine | server | request | plain | ours
db | WSGI | member | 2 reads | 1 read, -750 calls
db | WSGI | visitor | nothing | nothing, +31 calls
db | WSGI | public | nothing | nothing, +11 calls
db | WSGI | sign-in | 2 reads, 3 writes | 2 reads, 5 writes
db | WSGI | displacing | 2 reads, 3 writes | 3 reads, 7 writes
db | WSGI | at limit 5 | 2 reads, 3 writes | 3 reads, 8 writes
db | WSGI | renewal of a play | - | 1 read, 1 write
db | ASGI | member | 2 reads, 17 hops | 1 read, 16 hops
db | ASGI | visitor | 15 hops | 15 hops
db | ASGI | public | 15 hops | 15 hops
db | ASGI | renewal of a play | - | 1 write
cached_db | WSGI | member | 1 read, 1 cache | 1 read, 1 cache, -328 calls
cached_db | WSGI | visitor | nothing | nothing, +31 calls
cached_db | WSGI | public | nothing | nothing, +11 calls
cached_db | WSGI | sign-in | 2 reads, 3 writes, 2 cache | 3 reads, 5 writes, 2 cache
cached_db | WSGI | displacing | 2 reads, 3 writes, 2 cache | 4 reads, 7 writes, 4 cache
cached_db | WSGI | at limit 5 | 2 reads, 3 writes, 2 cache | 4 reads, 8 writes, 4 cache
cached_db | WSGI | renewal of a play | - | 1 read, 1 write, 1 cache
cached_db | ASGI | member | 1 read, 1 cache, 17 hops | 1 read, 1 cache, 16 hops
cached_db | ASGI | visitor | 15 hops | 15 hops
cached_db | ASGI | public | 15 hops | 15 hops
cached_db | ASGI | renewal of a play | - | 1 write, 1 cache
cache | WSGI | member | 1 read, 1 cache | 1 read, 1 cache, -328 calls
cache | WSGI | visitor | nothing | nothing, +31 calls
cache | WSGI | public | nothing | nothing, +11 calls
cache | WSGI | sign-in | 1 read, 1 write, 3 cache | 3 reads, 3 writes, 3 cache
cache | WSGI | displacing | 1 read, 1 write, 3 cache | 3 reads, 4 writes, 5 cache
cache | WSGI | at limit 5 | 1 read, 1 write, 3 cache | 3 reads, 5 writes, 5 cache
cache | WSGI | renewal of a play | - | 1 read, 1 write, 1 cache
cache | ASGI | member | 1 read, 1 cache, 17 hops | 1 read, 1 cache, 16 hops
cache | ASGI | visitor | 15 hops | 15 hops
cache | ASGI | public | 15 hops | 15 hops
cache | ASGI | renewal of a play | - | 1 write, 1 cache
file | WSGI | member | 1 read | 1 read, -328 calls
file | WSGI | visitor | nothing | nothing, +31 calls
file | WSGI | public | nothing | nothing, +11 calls
file | WSGI | sign-in | 1 read, 1 write | 3 reads, 3 writes
file | WSGI | displacing | 1 read, 1 write | 3 reads, 4 writes
file | WSGI | at limit 5 | 1 read, 1 write | 3 reads, 5 writes
file | WSGI | renewal of a play | - | 1 read, 1 write
file | ASGI | member | 1 read, 16 hops | 1 read, 16 hops
file | ASGI | visitor | 15 hops | 15 hops
file | ASGI | public | 15 hops | 15 hops
file | ASGI | renewal of a play | - | 1 write
signed_cookies | WSGI | member | 1 read | 1 read, -326 calls
signed_cookies | WSGI | visitor | nothing | nothing, +31 calls
signed_cookies | WSGI | public | nothing | nothing, +12 calls
signed_cookies | WSGI | sign-in | 1 read, 1 write | 3 reads, 3 writes
signed_cookies | WSGI | displacing | 1 read, 1 write | 3 reads, 4 writes
signed_cookies | WSGI | at limit 5 | 1 read, 1 write | 3 reads, 5 writes
signed_cookies | WSGI | renewal of a play | - | 1 read, 1 write
signed_cookies | ASGI | member | 1 read, 16 hops | 1 read, 16 hops
signed_cookies | ASGI | visitor | 15 hops | 15 hops
signed_cookies | ASGI | public | 15 hops | 15 hops
signed_cookies | ASGI | renewal of a play | - | 1 write
"""
HEAD = "engine | server | request | plain | ours"
SERVERS = ("WSGI", "ASGI")
# Calls and hops depend on the versions of Python and Django. The table has those of
# these versions, and only these compare them.
IS_EXACT = sys.version_info[:2] == (3, 11) and django.VERSION[:2] == (5, 2)
INEXACT = re.compile(r",? ?[+-]?\d+ (?:calls|hops?)")
# The engines that use a cache need its server.
CACHED = ("cached_db", "cache")


@pytest.fixture(scope="module")
def tables():
    """Return the environment variables of a database with all tables."""
    with database("sqlite", "figures") as on:
        with worker(variables(WITH_PLAYS, on)) as made:
            made.call("people.migrate")
        yield on


@pytest.fixture
def start(tables, tmp_path):
    """Return a function that starts a worker process of a contender."""
    with ExitStack() as stack:

        def start(contender, engine, server="wsgi"):
            more = {"engine": engine, "server": server.lower(), "files": str(tmp_path)}
            given = variables(contender, tables, **more)
            return stack.enter_context(worker(given))

        yield start


def add_user(made):
    [username] = made.call("people.create_users", count=1)
    return username


def page(made, name):
    cookie = made.call("browsing.prepare", username=add_user(made))
    sent = cookie if name != "visitor" else None
    return made.call("browsing.count_everything", page=name, cookie=sent)


def sign_in(made, earlier):
    """Count a sign-in to an account with this number of ``earlier`` sign-ins."""
    username = add_user(made)
    made.call("browsing.sign_in", usernames=earlier * [username])
    return made.call("browsing.count_sign_in", username=username, then_a_page=False)


def renewal(made):
    [[_, key, _, play]] = made.call("people.create", count=1)
    return made.call("browsing.count_renewal", key=key, play=play)


def line(engine, server, request, plain, ours):
    cells = [describe(plain), describe(ours)]
    # The calls under ASGI depend on when other threads have finished.
    if server == "WSGI" and "calls" in ours:
        cells[1] += f", {ours['calls'] - plain['calls']:+} calls"
    return " | ".join([engine, server, request, *cells])


def describe(counts):
    parts = [
        f"{counts[kind]} {kind.removesuffix('s') if counts[kind] == 1 else kind}"
        for kind in ("reads", "writes", "others", "cache", "hops")
        if counts.get(kind)
    ]
    return ", ".join(parts) or "nothing"


def lines(engine, start):
    """Yield the lines of the table about one engine."""
    for server in SERVERS:
        plain, ours = (start(each, engine, server) for each in (PLAIN, OURS))
        for name in PAGES:
            yield line(engine, server, name, page(plain, name), page(ours, name))
        if server == "WSGI":
            for name, earlier in (("sign-in", 0), ("displacing", 1)):
                counts = (sign_in(each, earlier) for each in (plain, ours))
                yield line(engine, server, name, *counts)
            counts = sign_in(start(FIVE, engine), 5)
            yield line(engine, server, "at limit 5", sign_in(plain, 5), counts)
        counts = renewal(start(WITH_PLAYS, engine, server))
        yield f"{engine} | {server} | renewal of a play | - | {describe(counts)}"


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param(each, marks=pytest.mark.services("redis"))
        if each in CACHED
        else each
        for each in ENGINES
    ],
)
def test_no_figure_changes_unnoticed(engine, start):
    rows = FIGURES.strip().splitlines()
    expected = [each for each in rows if each.startswith(f"{engine} |")]
    found = list(lines(engine, start))
    if not IS_EXACT:
        expected, found = (
            [INEXACT.sub("", each) for each in rows] for rows in (expected, found)
        )
    assert found == expected, "Update FIGURES."


def test_the_table_is_complete():
    head, *rows = FIGURES.strip().splitlines()
    assert head == HEAD
    assert {each.partition(" |")[0] for each in rows} == set(ENGINES)
