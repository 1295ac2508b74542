"""The demo's second act: one account on three devices, of which two may play a film."""

from __future__ import annotations

import time

from example import expect, watching
from example.browser import Browser
from example.people import LAPTOP, PHONE, TABLET, sign_in, tell

MEMBERS, LIVE, PLAYS = "/members/", "/live/", "/account/sessions/plays/"
FILM = {"what": "pier"}


def act(site: str, *, wsgi: bool) -> None:
    """
    Act out the second part of the demo's story on the site at the address ``site``.

    ``wsgi`` says that the server cannot stream events. Raises ``Deviation`` if the site
    does not do what the story expects.
    """
    laptop, phone, tablet = (Browser(site, kind) for kind in (LAPTOP, PHONE, TABLET))
    for name, browser in (("laptop", laptop), ("phone", phone), ("tablet", tablet)):
        page = sign_in(browser, browser.open(MEMBERS), "theo")
        expect.member(page, "theo")
        tell(f"theo's {name}", "signs in", "200 You are signed in as theo.")

    first = press(laptop)
    tell("theo's laptop", "presses play", "200: the first of 2 streams")
    second = press(phone)
    tell("theo's phone", "presses play", "200: the second")

    for loser, name, play, winner, winner_name in (
        (laptop, "laptop", first, tablet, "tablet"),
        (phone, "phone", second, laptop, "laptop"),
    ):
        # The open page receives an event, and then renews its playback.
        page = None if wsgi else watching.stream(loser, until="changed")
        began = time.time()
        press(winner)
        tell(f"theo's {winner_name}", "presses play", "200")
        if page is not None:
            page.wait()
            expect.same("the event on the open page", page.what, "changed")
        answer = renew(loser, play)
        took = round((time.time() - began) * 1000)
        expect.paused(answer, winner_name)
        heard = "after" if page is not None else "when it renews, after"
        tell(f"theo's {name}", "pauses, still signed in", f"{heard} {took} ms: 410")
        expect.member(loser.open(MEMBERS), "theo")


def press(browser: Browser) -> str:
    """Start a playback of the film in ``browser``, and return the playback's id."""
    answer = browser.send(PLAYS, FILM)
    expect.same("the status", answer.status, 200)
    return str(answer.json["play"])


def renew(browser: Browser, play: str) -> dict[str, object]:
    """
    Renew a playback that has ended, as a video player does. Return the JSON answer.
    """
    answer = browser.send(f"{PLAYS}{play}/renew/", {})
    expect.same("the status", answer.status, 410)
    return answer.json
