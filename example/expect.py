"""What the story expects of a page. The first thing that is otherwise ends it."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from example.browser import Page

MEMBERS = "/members/"
# In milliseconds, with what a machine that does much else adds.
SOON = 3000


class Deviation(Exception):
    """Something was not as the story has it."""


def same(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise Deviation(f"{what} should be {wanted!r}, and is {found!r}")


def holds(what: str, found: str, wanted: str) -> None:
    if wanted not in found:
        raise Deviation(f"{what} should hold {wanted!r}, and is {found!r}")


def soon_after(what: str, found: object, since: datetime) -> None:
    try:
        seconds = (datetime.fromisoformat(str(found)) - since).total_seconds()
    except (TypeError, ValueError):
        seconds = None
    # Django's JSON has milliseconds and no more: it may name the one before.
    if seconds is None or not -0.001 <= seconds <= 60:
        raise Deviation(f"{what} should be soon after {since}, and is {found!r}")


def public(page: Page) -> None:
    """A page for everybody, which a cache may keep."""
    same("the status", page.status, 200)
    same("whether the page varies by cookie", page.varies_by_cookie, False)


def member(page: Page, username: str) -> None:
    """The members' page, at its own address."""
    same("the address", page.path, MEMBERS)
    same("the status", page.status, 200)
    holds("the page", page.text, f"You are signed in as {username}.")


def live(page: Page) -> None:
    """The page with the livestream, at its own address."""
    same("the status", page.status, 200)
    same("the heading", page.heading, "Live from the pier")


def told(reason: object, milliseconds: int) -> None:
    """An open page learns why, at once: within the second that the sweep takes."""
    same("what the open page is told", reason, "displaced")
    if not 0 <= milliseconds <= SOON:
        raise Deviation(f"it should take {SOON} ms at most, and took {milliseconds}")


def stopped(last: object, milliseconds: int) -> None:
    """What streamed has ticked, and comes to its end as soon."""
    same("what ticked", type(last), float)
    if not 0 <= milliseconds <= SOON:
        raise Deviation(f"it should stop within {SOON} ms, not after {milliseconds}")


def paused(answer: dict[str, object], device: str) -> None:
    """A play has gone elsewhere, and its session has not."""
    same("the reason", answer.get("reason"), "displaced")
    wanted = "Playback moved to another device."
    same("the heading", answer.get("heading"), wanted)
    kind = {"laptop": "computer"}.get(device, device)
    same("the device class", answer.get("device_class"), kind)


def displaced(page: Page, device_class: str, since: datetime) -> None:
    """The members' page's address, saying that, by what and when, and leading back."""
    same("the address", page.path, MEMBERS)
    same("the status", page.status, 401)
    same("the heading", page.heading, "You're signed out here")
    holds("the page", page.text, f"Your account was signed in on a {device_class}.")
    same("how many times the page names", len(page.times), 1)
    soon_after("the time on the page", page.times[0], since)
    link = urlsplit(page.links.get("Use here instead", ""))
    same("where the link leads", link.path, "/sign-in/")
    same("where it leads back to", parse_qs(link.query).get("next"), [MEMBERS])
    holds("Cache-Control", page.headers.get("Cache-Control", ""), "no-store")


def displaced_json(page: Page, device_class: str, since: datetime) -> None:
    """The same, for a script."""
    same("the status", page.status, 401)
    same("the code", page.json.get("code"), "session_ended")
    same("the reason", page.json.get("reason"), "displaced")
    same("the device class", page.json.get("device_class"), device_class)
    soon_after("the time", page.json.get("ended_at"), since)


def one_stays(seen: list[tuple[Page, Page]], username: str) -> None:
    """The last page of one browser is the member's; each other browser was told."""
    staying = [last for _, last in seen if (last.path, last.status) == (MEMBERS, 200)]
    same("how many stay signed in", len(staying), 1)
    member(staying[0], username)
    told = [any("signed in on a" in page.text for page in pages) for pages in seen]
    same("how many are told", told.count(True), len(seen) - 1)


def signed_out(page: Page) -> None:
    """What Django shows after signing out."""
    same("the status", page.status, 200)
    same("the heading", page.heading, "You are signed out")
