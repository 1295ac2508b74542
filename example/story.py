"""
The story the demo plays over HTTP: two browsers, one account, and what each is told.

A line is printed only after what it says has been checked; the first thing that is
otherwise raises ``Deviation``.
"""

from __future__ import annotations

import json
import textwrap
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from example.browser import Browser, Page

LAPTOP = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Mobile Safari/537.36"
)
PUBLIC, MEMBERS, API, SIGN_IN = "/", "/members/", "/api/me/", "/sign-in/"
USERS = {"ada": "tide-and-current", "grace": "wind-over-water"}
AT_ONCE = 8


class Deviation(Exception):
    """Something was not as the story has it."""


def expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise Deviation(f"{what} should be {wanted!r}, and is {found!r}")


def expect_within(what: str, text: str, wanted: str) -> None:
    if wanted not in text:
        raise Deviation(f"{what} should hold {wanted!r}, and is {text!r}")


def expect_moment(what: str, found: object, since: datetime) -> None:
    try:
        within = since <= datetime.fromisoformat(str(found)) <= datetime.now(UTC)
    except (TypeError, ValueError):
        within = False
    if not within:
        raise Deviation(f"{what} should be a time since {since}, and is {found!r}")


def tell(who: str, did: str, came: str) -> None:
    print(f"  {who:<15} {did:<33} {came}", flush=True)


def quote(text: str) -> None:
    print(textwrap.indent(textwrap.fill(text, 72), " " * 18 + "| "), flush=True)


def sign_in(browser: Browser, username: str) -> Page:
    """Sign in on the way to the members' page; return where that led."""
    return browser.sign_in(browser.open(MEMBERS), username, USERS[username])


def expect_member(page: Page, username: str) -> None:
    expect("the address", page.path, MEMBERS)
    expect("the status", page.status, 200)
    expect_within("the page", page.text, f"You are signed in as {username}.")


def expect_displaced(page: Page, device_class: str, since: datetime) -> None:
    """The page says that, by which class of device and when, and leads on."""
    expect("the address", page.path, MEMBERS)
    expect("the status", page.status, 401)
    expect_within("the page", page.text, "signed out here")
    expect_within("the page", page.text, "signed in on another device")
    expect_within("the page", page.text, device_class)
    expect("the number of times on the page", len(page.times), 1)
    expect_moment("the time on the page", page.times[0], since)
    expect("the link", page.links.get("Use here instead"), f"{SIGN_IN}?next={MEMBERS}")
    expect_within("Cache-Control", page.headers.get("Cache-Control", ""), "no-store")


def play(site: str) -> None:
    """Play the story at ``site``."""
    laptop, phone = Browser(site, LAPTOP), Browser(site, PHONE)
    grace = Browser(site, LAPTOP)

    page = grace.open(PUBLIC)
    expect("the status", page.status, 200)
    expect("whether the page varies by cookie", page.varies_by_cookie, False)
    tell("grace", f"opens {PUBLIC}, the public page", "200, no Vary: Cookie")

    expect_member(sign_in(grace, "grace"), "grace")
    tell("grace", "signs in", "200 You are signed in as grace.")

    expect_member(sign_in(laptop, "ada"), "ada")
    tell("ada's laptop", "signs in", "200 You are signed in as ada.")
    copy = laptop.copy()

    since = datetime.now(UTC)
    expect_member(sign_in(phone, "ada"), "ada")
    tell("ada's phone", "signs in", "200 You are signed in as ada.")

    page = laptop.open(MEMBERS)
    expect_displaced(page, "phone", since)
    tell("ada's laptop", f"reloads {MEMBERS}", "401 at the same address:")
    quote(page.text)

    page = copy.call(API)
    ...
