"""
Check that the pages of the demo's story are as expected.

Each function raises ``Deviation`` if they are not.
"""

from __future__ import annotations

from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from example.browser import Page

MEMBERS = "/members/"
# In milliseconds. A busy machine needs more than the package guarantees.
SOON = 3000


class Deviation(Exception):
    """The site did not do what the demo's story expects."""


def same(what: str, found: object, wanted: object) -> None:
    """
    Check that ``found`` equals ``wanted``. ``what`` describes it in the error message.
    """
    if found != wanted:
        raise Deviation(f"{what} should be {wanted!r}, and is {found!r}")


def holds(what: str, found: str, wanted: str) -> None:
    """Check that the text ``found`` contains the text ``wanted``."""
    if wanted not in found:
        raise Deviation(f"{what} should contain {wanted!r}, and is {found!r}")


def soon_after(what: str, found: object, since: datetime) -> None:
    """Check that ``found`` is an ISO 8601 time within a minute after ``since``."""
    try:
        seconds = (datetime.fromisoformat(str(found)) - since).total_seconds()
    except (TypeError, ValueError):
        seconds = None
    # Django's JSON encoder cuts times off after the milliseconds, so the time may be a
    # bit earlier.
    if seconds is None or not -0.001 <= seconds <= 60:
        raise Deviation(f"{what} should be soon after {since}, and is {found!r}")


def public(page: Page) -> None:
    """Check that ``page`` is a public page that a shared cache may store."""
    same("the status", page.status, 200)
    same("whether the page varies by cookie", page.varies_by_cookie, False)


def member(page: Page, username: str) -> None:
    """Check that ``page`` is the members' page and ``username`` is signed in."""
    same("the address", page.path, MEMBERS)
    same("the status", page.status, 200)
    holds("the page", page.text, f"You are signed in as {username}.")


def live(page: Page) -> None:
    """Check that ``page`` is the page with the livestream."""
    same("the status", page.status, 200)
    same("the heading", page.heading, "Live from the pier")


def told(reason: object, milliseconds: int) -> None:
    """
    Check why and how soon an open page learned that its session was displaced.

    ``reason`` is the reason in the event, and ``milliseconds`` is the time since the
    session ended.
    """
    same("the reason on the open page", reason, "displaced")
    if not 0 <= milliseconds <= SOON:
        raise Deviation(f"it should take {SOON} ms at most, and took {milliseconds}")


def stopped(last: object, milliseconds: int) -> None:
    """
    Check that a stream had sent values and stopped soon after its session ended.

    ``last`` is the last value that the stream sent, and ``milliseconds`` is the time
    since the session ended.
    """
    same("the type of the last value", type(last), float)
    if not 0 <= milliseconds <= SOON:
        raise Deviation(f"it should stop within {SOON} ms, not after {milliseconds}")


def paused(answer: dict[str, object], device: str) -> None:
    """Check the ``answer`` to the renewal of a playback that ``device`` displaced."""
    same("the reason", answer.get("reason"), "displaced")
    wanted = "Playback moved to another device."
    same("the heading", answer.get("heading"), wanted)
    kind = {"laptop": "computer"}.get(device, device)
    same("the device class", answer.get("device_class"), kind)


def displaced(page: Page, device_class: str, since: datetime) -> None:
    """
    Check the page which explains that a newer sign-in displaced the session.

    The page is at the address of the members' page. It names the class of the newer
    device and a time soon after ``since``, and it links back to the members' page.
    """
    same("the address", page.path, MEMBERS)
    same("the status", page.status, 401)
    same("the heading", page.heading, "You're signed out here")
    holds("the page", page.text, f"Your account was signed in on a {device_class}.")
    same("the number of times on the page", len(page.times), 1)
    soon_after("the time on the page", page.times[0], since)
    link = urlsplit(page.links.get("Use here instead", ""))
    same("the address of the link", link.path, "/sign-in/")
    same("the next address", parse_qs(link.query).get("next"), [MEMBERS])
    holds("Cache-Control", page.headers.get("Cache-Control", ""), "no-store")


def displaced_json(page: Page, device_class: str, since: datetime) -> None:
    """
    Check the JSON which tells a script that a newer sign-in displaced the session.
    """
    same("the status", page.status, 401)
    same("the code", page.json.get("code"), "session_ended")
    same("the reason", page.json.get("reason"), "displaced")
    same("the device class", page.json.get("device_class"), device_class)
    soon_after("the time", page.json.get("ended_at"), since)


def one_stays(seen: list[tuple[Page, Page]], username: str) -> None:
    """
    Check that one browser stays signed in, and that every other browser was told why it
    is not.

    ``seen`` has two pages for each browser, in the order in which the browser saw them.
    """
    staying = [last for _, last in seen if (last.path, last.status) == (MEMBERS, 200)]
    same("the number of browsers that stay signed in", len(staying), 1)
    member(staying[0], username)
    told = [any("signed in on a" in page.text for page in pages) for pages in seen]
    same("the number of browsers that were told", told.count(True), len(seen) - 1)


def signed_out(page: Page) -> None:
    """Check that ``page`` is the one that Django shows after signing out."""
    same("the status", page.status, 200)
    same("the heading", page.heading, "You are signed out")
