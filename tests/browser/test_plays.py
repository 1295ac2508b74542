"""Test that plays keep to their limit and free their places, whatever browsers do."""

from __future__ import annotations

import re
import time

import pytest

from example.people import PASSWORDS
from example.server import ROOT
from tests.browser.test_watch import until, watches
from tests.browser.visitor import LAPTOP, PHONE, TABLET

THEO = PASSWORDS["theo"]
VIDEO = "document.querySelector('video')"
PLAYING, PAUSED = f"!{VIDEO}.paused", f"{VIDEO}.paused"
PANEL = ".session-limit-play"
SHOWN = f"document.querySelector('{PANEL}') !== null"
LEASE = (
    "UPDATE session_limit_play SET lease_until = '2000-01-01' WHERE ended_at IS NULL"
)
OPEN = """
    SELECT device_class FROM session_limit_play p
    JOIN session_limit_usersession s ON s.id = p.session_id
    WHERE p.ended_at IS NULL AND s.ended_at IS NULL
    AND p.lease_until > STRFTIME('%Y-%m-%d %H:%M:%f', 'now') ORDER BY device_class
"""


def arrive(visitor, site, device=LAPTOP, **options):
    """Sign in on a device, and open the page with a film that starts by itself."""
    arrived = visitor(site, device, **options)
    arrived.sign_in("theo", THEO, "/live/")
    return arrived


def playing(site, *classes):
    """Wait until devices of exactly these classes play."""
    deadline = time.monotonic() + 5
    while (found := [row[0] for row in site.sql(OPEN)]) != sorted(classes):
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def panel(visitor, timeout=4000):
    until(visitor.page, SHOWN, timeout)
    visitor.page.wait_for_timeout(100)
    return visitor.page.locator(PANEL)


def test_the_newest_plays_and_the_other_says_why(serve, visitor):
    site = serve(SESSION_LIMIT_PLAYS=1)
    laptop = arrive(visitor, site)
    until(laptop.page, PLAYING)  # muted, so the browser lets it start by itself
    playing(site, "computer")
    watches(laptop.page)
    phone = arrive(visitor, site, PHONE)
    began = time.monotonic()
    said = panel(laptop)
    print(f"paused within {(time.monotonic() - began) * 1000:.0f} ms")
    assert laptop.page.evaluate(PAUSED)
    assert "Playback moved to another device." in said.inner_text()
    assert "It is playing on a phone now." in said.inner_text()
    laptop.look()
    playing(site, "phone")
    # Both are still signed in, and a click brings the play back.
    watches(phone.page)
    said.get_by_role("button", name="Watch here").click()
    until(laptop.page, PLAYING)
    until(laptop.page, f"!({SHOWN})")
    assert "It is playing on a computer now." in panel(phone).inner_text()
    phone.look()
    playing(site, "computer")
    laptop.page.wait_for_timeout(1500)
    assert laptop.page.evaluate(PLAYING)


def test_it_is_told_by_its_heartbeat_where_nothing_watches(serve, visitor):
    site = serve(SESSION_LIMIT_PLAYS=1)
    laptop = visitor(site, LAPTOP)
    nothing = {"body": "", "content_type": "text/javascript"}
    laptop.page.route("**/watch.js", lambda route: route.fulfill(**nothing))
    laptop.sign_in("theo", THEO, "/live/")
    until(laptop.page, PLAYING)
    playing(site, "computer")
    phone = arrive(visitor, site, PHONE)
    until(phone.page, PLAYING)
    panel(laptop, 13_000)
    assert laptop.page.evaluate(PAUSED)


def test_two_tabs_are_two_plays(serve, visitor):
    site = serve(SESSION_LIMIT_PLAYS=1)
    laptop = arrive(visitor, site)
    until(laptop.page, PLAYING)
    watches(laptop.page)
    first = laptop.tab()
    laptop.page.goto("/live/")
    until(laptop.page, PLAYING)
    until(first, PAUSED)
    until(first, SHOWN)
    playing(site, "computer")


def test_one_who_is_asked_swaps(serve, visitor):
    site = serve(SESSION_LIMIT_PLAYS=2, SESSION_LIMIT_PLAYS_AT_LIMIT="ask")
    laptop, phone = arrive(visitor, site), arrive(visitor, site, PHONE)
    until(laptop.page, PLAYING)
    until(phone.page, PLAYING)
    playing(site, "computer", "phone")
    watches(laptop.page)
    tablet = arrive(visitor, site, TABLET)
    said = panel(tablet)
    assert tablet.page.evaluate(PAUSED)
    assert "2 of 2 streams are in use." in said.inner_text()
    assert "Chrome on Windows" in said.inner_text()
    assert "Chrome on Android" in said.inner_text()
    tablet.look()
    said.get_by_role("button", name="Stop it and watch here").first.click()
    until(tablet.page, PLAYING)
    panel(laptop)
    assert laptop.page.evaluate(PAUSED)
    assert phone.page.evaluate(PLAYING)


def test_refused_it_does_not_play(serve, visitor):
    site = serve(SESSION_LIMIT_PLAYS=1, SESSION_LIMIT_PLAYS_AT_LIMIT="deny")
    laptop = arrive(visitor, site)
    playing(site, "computer")
    phone = arrive(visitor, site, PHONE)
    said = panel(phone)
    assert not said.get_by_role("button").count()
    assert phone.page.evaluate(PAUSED)
    phone.look()
    # The film stays paused if somebody presses play.
    phone.page.evaluate(f"{VIDEO}.play().catch(() => {{}})")
    until(phone.page, PAUSED)
    panel(phone)
    playing(site, "computer")
    # Pausing a film frees its place.
    laptop.page.evaluate(f"{VIDEO}.pause()")
    playing(site)
    phone.page.evaluate(f"{VIDEO}.play().catch(() => {{}})")
    playing(site, "phone")
    until(phone.page, f"!({SHOWN})")
    assert phone.page.evaluate(PLAYING)


def test_a_page_that_goes_gives_its_place_up(serve, visitor):
    site = serve(SESSION_LIMIT_PLAYS=1, SESSION_LIMIT_PLAYS_AT_LIMIT="deny")
    laptop = arrive(visitor, site)
    playing(site, "computer")
    laptop.page.goto("/members/")
    playing(site)
    laptop.page.go_back()
    until(laptop.page, f"{VIDEO} !== null")
    laptop.page.evaluate(f"{VIDEO}.play().catch(() => {{}})")
    playing(site, "computer")
    laptop.page.close(run_before_unload=True)
    playing(site)


def test_a_page_that_goes_before_it_is_answered_gives_its_place_up(serve, visitor):
    """
    A page frees its place even if it closes before the server's answer arrives.

    The server has counted the play by then.
    """
    site = serve(SESSION_LIMIT_PLAYS=1, SESSION_LIMIT_PLAYS_AT_LIMIT="deny")
    laptop = visitor(site, LAPTOP)
    laptop.page.route("**/plays/", lambda route: route.fetch())
    laptop.sign_in("theo", THEO, "/live/")
    playing(site, "computer")
    laptop.page.goto("/members/")
    playing(site)


def test_a_crash_frees_its_place_within_thirty_seconds_and_a_beat(serve, visitor):
    """A page that crashes cannot report its end, but its lease runs out."""
    from playwright.sync_api import Error

    site = serve(SESSION_LIMIT_PLAYS=1, SESSION_LIMIT_PLAYS_AT_LIMIT="deny")
    laptop = arrive(visitor, site)
    playing(site, "computer")
    phone = visitor(site, PHONE)
    phone.sign_in("theo", THEO, "/live/")
    panel(phone)
    began = time.monotonic()
    with pytest.raises(Error):  # the page crashes, or its navigation is aborted
        laptop.page.goto("chrome://crash")
    while True:
        phone.page.evaluate(f"{VIDEO}.play().catch(() => {{}})")
        phone.page.wait_for_timeout(500)
        if phone.page.evaluate(f"{PLAYING} && !({SHOWN})"):
            break
        assert time.monotonic() - began < 45
    took = time.monotonic() - began
    print(f"its place was free after {took:.1f} s")
    # The lease lasts 30 s. Part of it had passed, and the loop above adds a little.
    assert 18 < took < 42
    laptop._errors.clear()


def test_without_a_network_it_plays_no_longer_than_its_lease(serve, visitor):
    site = serve(SESSION_LIMIT_PLAYS=1)
    laptop = arrive(visitor, site)
    page = laptop.page
    until(page, PLAYING)
    playing(site, "computer")
    page.context.set_offline(True)
    page.wait_for_timeout(1500)
    assert page.evaluate(PLAYING)
    # Move the page's clock past the lease.
    page.evaluate("(now => { Date.now = () => now() + 31_000 })(Date.now.bind(Date))")
    until(page, PAUSED)
    assert "The connection is lost." in panel(laptop).inner_text()
    page.evaluate(f"{VIDEO}.play().catch(() => {{}})")
    laptop._errors.clear()  # errors of requests that found no network
    page.context.set_offline(False)
    until(page, PLAYING)
    until(page, f"!({SHOWN})")
    playing(site, "computer")
    laptop._errors.clear()


def test_a_machine_that_has_slept_goes_on_if_there_is_room(serve, visitor):
    site = serve(SESSION_LIMIT_PLAYS=1, SESSION_LIMIT_PLAYS_AT_LIMIT="deny")
    laptop = arrive(visitor, site)
    until(laptop.page, PLAYING)
    playing(site, "computer")
    site.sql(LEASE)
    sleep = "(now => { Date.now = () => now() + 3_600_000 })(Date.now.bind(Date))"
    laptop.page.evaluate(sleep)
    wake = "document.dispatchEvent(new Event('visibilitychange'))"
    laptop.page.evaluate(wake)
    playing(site, "computer")
    until(laptop.page, f"{PLAYING} && !({SHOWN})")
    # Without a free place, the film stays paused.
    site.sql(LEASE)
    laptop.page.context.set_offline(True)
    phone = arrive(visitor, site, PHONE)
    playing(site, "phone")
    laptop.page.evaluate(sleep)
    laptop.page.evaluate(wake)
    until(laptop.page, PAUSED)
    laptop.page.context.set_offline(False)
    until(
        laptop.page, f"document.querySelector('{PANEL}')?.innerText.includes('in use')"
    )
    assert laptop.page.evaluate(PAUSED)
    assert phone.page.evaluate(PLAYING)
    laptop._errors.clear()


def test_what_comes_back_takes_no_place_from_anybody(serve, visitor):
    """A play that resumes without a click displaces nothing, even if a click would."""
    site = serve(SESSION_LIMIT_PLAYS=1)
    laptop = arrive(visitor, site)
    playing(site, "computer")
    laptop.page.context.set_offline(True)
    site.sql(LEASE)
    phone = arrive(visitor, site, PHONE)
    playing(site, "phone")
    later = "(now => { Date.now = () => now() + 31_000 })(Date.now.bind(Date))"
    laptop.page.evaluate(later)
    until(laptop.page, PAUSED)
    panel(laptop)
    # Wake the page again, still without a network, and press play.
    wake = "document.dispatchEvent(new Event('visibilitychange'))"
    laptop.page.evaluate(wake)
    laptop.page.evaluate(f"{VIDEO}.play().catch(() => {{}})")
    laptop.page.evaluate(later)
    until(laptop.page, PAUSED)
    laptop._errors.clear()
    laptop.page.context.set_offline(False)
    told = f"document.querySelector('{PANEL}')?.innerText.includes('in use')"
    until(laptop.page, told)
    playing(site, "phone")
    assert phone.page.evaluate(PLAYING)
    panel(laptop).get_by_role("button", name="Watch here").click()
    until(laptop.page, PLAYING)
    panel(phone)
    laptop._errors.clear()


def test_one_that_is_taken_out_of_the_page_gives_its_place_up(serve, visitor):
    site = serve(SESSION_LIMIT_PLAYS=1)
    laptop = arrive(visitor, site)
    playing(site, "computer")
    laptop.page.evaluate(f"window.film = {VIDEO}; film.remove()")
    playing(site)
    laptop.page.evaluate("document.querySelector('main').append(film); film.play()")
    playing(site, "computer")


def test_a_page_in_place_of_an_answer_is_none(serve, visitor):
    """The page ignores an answer in HTML, such as the sign-in page of a proxy."""
    site = serve(SESSION_LIMIT_PLAYS=1)
    laptop = visitor(site, LAPTOP)
    page = laptop.page
    html = {"status": 200, "content_type": "text/html", "body": "<p>Sign in</p>"}
    page.route("**/plays/**", lambda route: route.fulfill(**html))
    laptop.sign_in("theo", THEO, "/live/")
    until(page, PLAYING)
    page.evaluate("(now => { Date.now = () => now() + 11_000 })(Date.now.bind(Date))")
    until(page, PAUSED)
    panel(laptop)
    page.unroute("**/plays/**")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    until(page, PLAYING)
    playing(site, "computer")


GUARDED = re.compile(r"/films/([^/]+)/pier\.webm$")


@pytest.mark.parametrize("options", ["controls", "autoplay muted controls"])
def test_a_film_that_a_proxy_guards(serve, visitor, options):
    """
    A film behind a proxy loads only after its play has started.

    The film's address contains the play's id.
    """
    site = serve(SESSION_LIMIT_PLAYS=1)
    film = (ROOT / "example/static/example/pier.webm").read_bytes()
    asked = []

    def guard(route):
        play = GUARDED.search(route.request.url)[1]
        counts = [row[0] for row in site.sql("SELECT id FROM session_limit_play")]
        asked.append(play)
        if play.replace("-", "") in counts:
            route.fulfill(content_type="video/webm", body=film)
        else:
            route.fulfill(status=403)

    def rewrite(route):
        answer = route.fetch()
        tag = (
            '<video data-session-limit-play="pier" '
            f'data-session-limit-src="/films/{{play}}/pier.webm" {options} loop>'
        )
        body = re.sub(r"<video[^>]*>", tag, answer.text())
        route.fulfill(response=answer, body=body)

    laptop, phone = visitor(site, LAPTOP), visitor(site, PHONE)
    for each in (laptop, phone):
        each.sign_in("theo", THEO)
        each.page.route(GUARDED, guard)
        each.page.route("**/live/", rewrite)
        each.page.goto("/live/")
        if "autoplay" not in options:
            assert each.page.evaluate(PAUSED)
            each.page.evaluate(f"{VIDEO}.play().catch(() => {{}})")
        until(each.page, f"{PLAYING} && {VIDEO}.currentTime > 0")
    playing(site, "phone")
    said = panel(laptop)
    assert laptop.page.evaluate(PAUSED)
    at = laptop.page.evaluate(f"{VIDEO}.currentTime")
    said.get_by_role("button", name="Watch here").click()
    until(laptop.page, f"{PLAYING} && {VIDEO}.currentTime > {at}")
    playing(site, "computer")
    # Each play has an address of its own.
    assert len(set(asked)) >= 3
    laptop._errors.clear()  # errors of requests before the play had started
    phone._errors.clear()


def test_a_page_in_the_background_whose_timers_are_slow(serve, visitor):
    """
    A hidden page renews its play, although its browser slows timers to one a minute.

    A worker keeps the time.
    """
    site = serve(SESSION_LIMIT_PLAYS=1)
    laptop = visitor(site, LAPTOP)
    laptop.sign_in("theo", THEO, "/members/")
    laptop.page.add_init_script(
        "window.setInterval = () => 0; window.setTimeout = () => 0;"
        "Object.defineProperty(document, 'hidden', {value: true});"
    )
    renewed = []
    laptop.page.on(
        "request", lambda r: renewed.append(r.url) if "/renew/" in r.url else None
    )
    laptop.page.goto("/live/")
    # Suppress the video's own events, which would keep the time too.
    laptop.page.evaluate(
        "addEventListener('timeupdate', e => e.stopImmediatePropagation(), true)"
    )
    playing(site, "computer")
    deadline = time.monotonic() + 14
    while not renewed:
        assert time.monotonic() < deadline, "It was not renewed."
        laptop.page.wait_for_timeout(100)
    playing(site, "computer")


def test_any_player_by_events(serve, visitor):
    site = serve(SESSION_LIMIT_PLAYS=1)
    laptop = visitor(site, LAPTOP)
    laptop.sign_in("theo", THEO, "/members/")
    page = laptop.page
    until(page, "document.querySelector('script[data-session-limit-plays]') !== null")
    page.evaluate(
        """() => {
        const player = document.createElement("div");
        player.dataset.sessionLimitPlay = "game";
        document.querySelector("main").append(player);
        window.heard = [];
        for (const name of ["playing", "paused"]) {
          player.addEventListener(`session-limit:${name}`, (event) => {
            heard.push([name, event.detail.code]);
            event.preventDefault();
          });
        }
        window.say = (name) => player.dispatchEvent(
          new CustomEvent(`session-limit:${name}`, {bubbles: true}));
        say("play");
    }"""
    )
    until(page, "heard.length === 1")
    playing(site, "computer")
    watches(page)
    phone = arrive(visitor, site, PHONE)
    until(page, "heard.length === 2")
    assert page.evaluate("heard") == [["playing", "playing"], ["paused", "play_ended"]]
    # The page handles the event itself, so no panel appears.
    assert not page.locator(PANEL).count()
    page.evaluate("say('play')")
    panel(phone)
    page.evaluate("say('stop')")
    playing(site)


def test_a_session_that_ends_plays_no_more(serve, visitor):
    site = serve(SESSION_LIMIT_PLAYS=1)
    laptop = arrive(visitor, site)
    until(laptop.page, PLAYING)
    watches(laptop.page)
    phone = visitor(site, PHONE)
    phone.sign_in("theo", THEO, "/account/sessions/")
    phone.page.locator("form[action*='/end/'] button").first.click()
    until(laptop.page, PAUSED)
    playing(site)
    laptop.page.wait_for_timeout(1500)
    assert laptop.page.evaluate(PAUSED)
    assert not laptop.page.locator(PANEL).count()
