"""
Act out the demo's story over HTTP: two browsers share one account, and each learns why
its session ended. A line is printed only after it has been checked.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from example import expect, playing, watching
from example.browser import Browser, Page
from example.people import LAPTOP, PHONE, quote, sign_in, tell

PUBLIC, MEMBERS, LIVE, API = "/", "/members/", "/live/", "/api/me/"
AT_ONCE = 8


def play(site: str, *, wsgi: bool) -> None:
    """
    Act out the whole story on the site at the address ``site``.

    ``wsgi`` says that the server cannot stream events, so that open pages poll for
    their status instead. Raises ``Deviation`` if the site does not do what the story
    expects.
    """
    one_account_one_session(site, wsgi=wsgi)
    playing.act(site, wsgi=wsgi)


def one_account_one_session(site: str, *, wsgi: bool) -> None:
    """Act out the first part: two browsers share an account that allows one session."""
    grace, laptop, phone = (Browser(site, kind) for kind in (LAPTOP, LAPTOP, PHONE))

    expect.public(grace.open(PUBLIC))
    tell("grace", "opens the public page", "200, without Vary: Cookie")
    expect.member(sign_in(grace, grace.open(MEMBERS), "grace"), "grace")
    tell("grace", "signs in", "200 You are signed in as grace.")

    expect.member(sign_in(laptop, laptop.open(MEMBERS), "ada"), "ada")
    tell("ada's laptop", "signs in", "200 You are signed in as ada.")
    thief = laptop.copy()
    since = displace_an_open_page(laptop, phone, wsgi=wsgi)

    answer = laptop.call(API)
    expect.displaced_json(answer, "phone", since)
    tell("ada's laptop", f"calls {API} from a script", "401, and in JSON:")
    quote(json.dumps(answer.json, indent=2).splitlines())
    told = laptop.open(MEMBERS)
    expect.displaced(told, "phone", since)
    tell("ada's laptop", f"reloads {MEMBERS}", "401, and at the same address:")
    quote(told.lines)
    expect.member(phone.open(MEMBERS), "ada")
    tell("ada's phone", f"reloads {MEMBERS}", "200 You are signed in as ada.")

    again = datetime.now(UTC)
    form = laptop.open(told.links["Use here instead"])
    expect.member(sign_in(laptop, form, "ada"), "ada")
    tell("ada's laptop", "uses here instead: signs in", f"200 at {MEMBERS} again")
    told = phone.open(MEMBERS)
    expect.displaced(told, "computer", again)
    tell("ada's phone", f"reloads {MEMBERS}", "401, and at the same address:")
    quote(told.lines)

    for _ in range(3):
        expect.displaced(thief.copy().open(MEMBERS), "phone", since)
    tell("a thief", "replays the laptop's first cookie", "401, three times of three")
    expect.public(thief.open(PUBLIC))
    tell("a thief", "opens the public page with it", "200, like anybody")

    expect.one_stays(sign_in_at_once(site, "ada"), "ada")
    tell(
        f"{AT_ONCE} browsers",
        "sign in as ada at once",
        "one stays, the others are told",
    )

    page = grace.open(MEMBERS)
    expect.member(page, "grace")
    tell("grace", f"reloads {MEMBERS}", "200 You are signed in as grace.")
    expect.signed_out(grace.submit(page, action="/sign-out/"))
    tell("grace", "signs out", "200 You are signed out")


def displace_an_open_page(laptop: Browser, phone: Browser, *, wsgi: bool) -> datetime:
    """
    Sign in on the phone while a page is open on the laptop, and check that the open
    page learns of it.

    Return a time shortly before the sign-in on the phone.
    """
    expect.live(laptop.open(LIVE))
    page = watching.status(laptop) if wsgi else watching.stream(laptop)
    gauge = None if wsgi else watching.feed(laptop)
    tell("ada's laptop", f"opens {LIVE} and leaves it open", "200 Live from the pier")
    since = datetime.now(UTC)
    expect.member(sign_in(phone, phone.open(MEMBERS), "ada"), "ada")
    tell("ada's phone", "signs in", "200 You are signed in as ada.")
    answer = laptop.call(watching.STATUS).json
    expect.same("the code", answer.get("code"), "session_ended")
    ended_at = datetime.fromisoformat(answer["ended_at"])
    took = page.after(ended_at)
    expect.told(page.what, took)
    tell("ada's laptop", "is told on its open page", f"displaced, after {took} ms")
    if gauge is not None:
        took = gauge.after(ended_at)
        expect.stopped(gauge.what, took)
        tell("ada's laptop", "gets no more of the tide gauge", f"after {took} ms")
    return since


def sign_in_at_once(site: str, username: str) -> list[tuple[Page, Page]]:
    """
    Sign in from several browsers at once.

    Return two pages for each browser: the one after its own sign-in, and the members'
    page after all browsers had signed in.
    """
    browsers = [Browser(site, LAPTOP) for _ in range(AT_ONCE)]
    forms = [browser.open(MEMBERS) for browser in browsers]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        landed = list(pool.map(sign_in, browsers, forms, [username] * AT_ONCE))
    afterwards = [browser.open(MEMBERS) for browser in browsers]
    return list(zip(landed, afterwards, strict=True))
