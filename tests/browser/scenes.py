"""Scenes for screenshots: each leads a visitor to a page in some state."""

from __future__ import annotations

import contextlib
import email
import email.policy
from datetime import UTC, datetime, timedelta
from pathlib import Path

from example.demo import ADMINISTRATOR, KEY
from example.people import PASSWORDS
from tests.browser.visitor import LAPTOP, PHONE, TABLET, Visitor

ADA = PASSWORDS["ada"]
LIST = "/account/sessions/"
DIALOG = "dialog.session-limit-dialog"
ENDED = """
    UPDATE session_limit_usersession SET ended_at = ?, ended_reason = ?, ended_by = ?,
        session_key = NULL, ended_by_session = NULL
    WHERE ended_at IS NULL
"""
MANY = """
    INSERT INTO session_limit_usersession (
        id, user_id, session_key, key_digest, credentials, scope, counted, adopted,
        created_at, authenticated_at, last_active_at, expires_at, expires_reason,
        ended_at, ended_reason, ended_by, address, device, device_class
    )
    SELECT printf('%032x', ?), user_id, NULL, '', '', '', 1, 0, ?, ?, ?, expires_at,
        'expired', ?, ?, '', ?, ?, ?
    FROM session_limit_usersession WHERE ended_at IS NULL LIMIT 1
"""
# Sessions and plays of the past, some of them displaced by others.
PAST = """
    INSERT INTO session_limit_usersession (
        id, user_id, key_digest, credentials, scope, counted, adopted,
        created_at, authenticated_at, last_active_at, expires_at, expires_reason,
        ended_at, ended_reason, ended_by, ended_by_session, device, device_class
    )
    SELECT ?, user_id, '', '', '', 1, 0, ?, ?, ?, ?, 'expired', ?, ?, '', ?, ?, ?
    FROM session_limit_usersession LIMIT 1
"""
PLAYED = """
    INSERT INTO session_limit_play (
        id, user_id, session_id, scope, what, started_at, lease_until, ended_at,
        ended_reason, ended_by_play
    )
    SELECT ?, user_id, ?, '', ?, ?, ?, ?, ?, ? FROM session_limit_usersession LIMIT 1
"""
DEVICES = [
    ("Firefox on Windows", "computer"),
    ("Safari on iPhone", "phone"),
    ("Chrome on Android", "phone"),
    ("Safari on Mac or iPad", "computer"),
    ("Edge on Windows", "computer"),
    ("Firefox on Android", "tablet"),
    ("Chrome on ChromeOS", "computer"),
    ("", "other"),
]
# Sessions of a week: index of the device, hours since the sign-in and since the end,
# reason, and index of the session that displaced it.
WEEK = [
    (0, 260, 121, "displaced", 3),
    (1, 150, 70, "signed_out", None),
    (4, 140, 132, "idle", None),
    (3, 121, 46, "displaced", 6),
    (2, 96, 18, "displaced", 7),
    (7, 72, 71.9, "revoked", None),
    (6, 46, None, "", None),
    (5, 18, None, "", None),
]
# Plays of a week: index of the session, title, hours since the start and since the end,
# reason, and index of the play that displaced it.
PLAYS = [
    (1, "The Sea Wolf", 149, 146, "stopped", None),
    (0, "Tide tables, explained", 146, 143, "displaced", 2),
    (1, "Knots II", 143, 138, "lapsed", None),
    (3, "The Sea Wolf", 110, 104, "displaced", 4),
    (1, "The Sea Wolf", 104, 99, "stopped", None),
    (3, "", 80, 76, "displaced", 6),
    (4, "Man of Aran", 76, 66, "stopped", None),
    (3, "Harbour radio", 72, 47, "stopped", None),
    (3, "Knots III", 62, 54, "stopped", None),
    (6, "Harbour radio", 40, 12, "displaced", 10),
    (7, "Harbour radio", 12, None, "", None),
    (6, "Man of Aran", 5, None, "", None),
]
REASONS = {
    "signed_out": "",
    "revoked": "owner",
    "revoked-by-administrator": "other",
    "password_changed": "",
    "credentials_changed": "",
    "account_disabled": "",
    "limit_lowered": "",
    "expired": "",
    "idle": "",
    "absolute": "",
}

scenes = {}


def stored(moment):
    """Return a moment as Django stores it in SQLite."""
    return moment.replace(tzinfo=None).isoformat(" ")


def scene(name, **settings):
    """Register a function that leads a visitor to a scene, with its site's settings."""

    def register(function):
        scenes[name] = (function, settings)
        return function

    return register


class Stage:
    """The site and the visitors of one scene."""

    def __init__(self, chromium, site, stack):
        self._chromium, self.site, self._stack = chromium, site, stack

    def visitor(self, device=LAPTOP, **options):
        arrived = Visitor(self._chromium, Unseen(), self.site, device, **options)
        return self._stack.enter_context(contextlib.closing(arrived))

    def signed_in(self, device=LAPTOP, address="/members/", **options):
        arrived = self.visitor(device, **options)
        arrived.sign_in("ada", ADA, address)
        return arrived

    def unwatched(self, **options):
        """Return a visitor on a page that does not watch its session."""
        arrived = self.signed_in(**options)
        arrived.page.route("**/watch.js", lambda route: route.abort())
        arrived.reload()
        return arrived

    def administrator(self, address):
        arrived = self.visitor()
        arrived.open(address)
        arrived.fill("Username:", ADMINISTRATOR)
        arrived.fill("Password:", KEY)
        arrived.press("Log in")
        return arrived

    def add(self, count, *, ended=False):
        """Add sessions to the signed-in account, some as old as the retention."""
        now = datetime.now(UTC)
        for number in range(count):
            device, kind = DEVICES[number % len(DEVICES)]
            since = now - timedelta(hours=3 + number**2 * 5)
            active = now - timedelta(minutes=2 + number**2 * 40)
            reason = list(REASONS)[number % len(REASONS)].partition("-")[0]
            self.site.sql(
                MANY,
                number + 1 + ended * 1000,
                *(stored(since), stored(since), stored(active)),
                *((stored(active), reason) if ended else (None, "")),
                f"192.0.2.{number}" if number % 3 else "2001:db8::",
                *(device, kind),
            )

    def add_past(self):
        """Add a week of sessions, plays and displacements to the signed-in account."""
        now = datetime.now(UTC)
        sessions = [f"{number:032x}" for number, _ in enumerate(WEEK, 2000)]
        plays = [f"{number:032x}" for number, _ in enumerate(PLAYS, 3000)]

        def times(start, end):
            ended = None if end is None else stored(now - timedelta(hours=end))
            return stored(now - timedelta(hours=start)), ended

        for id, (device, start, end, reason, by) in zip(sessions, WEEK, strict=True):
            since, ended = times(start, end)
            self.site.sql(
                PAST,
                *(id, since, since, ended or stored(now)),
                *(stored(now + timedelta(days=9)), ended, reason),
                *(None if by is None else sessions[by], *DEVICES[device]),
            )
        for id, (session, what, start, end, reason, by) in zip(
            plays, PLAYS, strict=True
        ):
            since, ended = times(start, end)
            lease = ended or stored(now + timedelta(minutes=9))
            self.site.sql(
                PLAYED,
                *(id, sessions[session], what, since, lease, ended, reason),
                None if by is None else plays[by],
            )


class Unseen:
    """Skip the checks of a page, because ``screenshots.py`` makes them itself."""

    def look(self, page):
        """Check nothing."""


@scene("home")
def _(stage):
    visitor = stage.visitor()
    visitor.open("/")
    return visitor


@scene("sign-in")
def _(stage):
    visitor = stage.visitor()
    visitor.open("/members/")
    return visitor


@scene("members")
def _(stage):
    return stage.signed_in()


@scene("log")
def _(stage):
    return stage.signed_in(address="/log/")


@scene("password")
def _(stage):
    return stage.signed_in(address="/account/password/")


@scene("ended-displaced")
def _(stage):
    laptop = stage.signed_in()
    stage.signed_in(PHONE)
    laptop.reload()
    return laptop


@scene("live")
def _(stage):
    laptop = stage.signed_in(address="/live/")
    laptop.page.wait_for_timeout(1500)
    return laptop


@scene("live-over")
def _(stage):
    laptop = stage.signed_in(address="/live/")
    laptop.page.wait_for_timeout(500)
    stage.signed_in(PHONE)
    laptop.page.locator(DIALOG).wait_for()
    return laptop


@scene("live-over-unsaved")
def _(stage):
    laptop = stage.signed_in(address="/log/")
    laptop.fill("Place:", "Off the breakwater")
    laptop.fill("What happened:", "Anchored in four fathoms at first light.")
    stage.signed_in(PHONE)
    laptop.page.locator(DIALOG).wait_for()
    return laptop


@scene("live-over-closed")
def _(stage):
    laptop = stage.signed_in(address="/members/")
    stage.signed_in(PHONE)
    laptop.page.locator(DIALOG).wait_for()
    laptop.page.get_by_role("button", name="Stay on this page").click()
    return laptop


@scene("ended-displaced-form")
def _(stage):
    laptop = stage.unwatched(address="/log/")
    stage.signed_in(PHONE)
    laptop.fill("Place:", "Off the breakwater")
    laptop.fill(
        "What happened:",
        "Anchored in four fathoms at first light.\nWind south-west, rising; a seal.",
    )
    laptop.press("Save")
    return laptop


def ended(reason, by):
    def ended_scene(stage):
        laptop = stage.signed_in()
        owner = stage.site.sql("SELECT user_id FROM session_limit_usersession")[0][0]
        who = {"owner": str(owner), "other": "0"}.get(by, "")
        now = datetime.now(UTC)
        stage.site.sql(ENDED, stored(now), reason.partition("-")[0], who)
        laptop.reload()
        return laptop

    return ended_scene


for _reason, _by in REASONS.items():
    scene(f"ended-{_reason.replace('_', '-')}", SESSION_LIMIT_SUPPORT_URL="/")(
        ended(_reason, _by)
    )


@scene("refused", SESSION_LIMIT_AT_LIMIT="deny")
def _(stage):
    stage.signed_in(TABLET)
    return stage.signed_in()


@scene("chooser", SESSION_LIMIT=3, SESSION_LIMIT_AT_LIMIT="ask")
def _(stage):
    stage.signed_in(TABLET)
    stage.add(2)
    return stage.signed_in()


@scene("chooser-1", SESSION_LIMIT_AT_LIMIT="ask")
def _(stage):
    stage.signed_in(TABLET)
    return stage.signed_in()


@scene("choice-gone", SESSION_LIMIT_AT_LIMIT="ask")
def _(stage):
    visitor = stage.visitor()
    visitor.open(f"{LIST}choose/")
    return visitor


@scene("sessions-1")
def _(stage):
    return stage.signed_in(address=LIST)


@scene("sessions-3", SESSION_LIMIT=3)
def _(stage):
    visitor = stage.signed_in()
    stage.add(2)
    visitor.open(LIST)
    return visitor


@scene("sessions-many", SESSION_LIMIT=None)
def _(stage):
    visitor = stage.signed_in()
    stage.add(14)
    stage.add(9, ended=True)
    visitor.open(LIST)
    return visitor


def led_to_pages(path):
    """Return a scene of an account with 120 other sessions."""

    def scene_of_pages(stage):
        visitor = stage.signed_in()
        stage.add(120)
        visitor.open(f"{LIST}{path}")
        return visitor

    return scene_of_pages


scene("pages-first", SESSION_LIMIT=None)(led_to_pages(""))
scene("pages-second", SESSION_LIMIT=None)(led_to_pages("?page=2"))
scene("pages-confirm", SESSION_LIMIT=None)(led_to_pages("end-others/"))


def asked_by_many(stage):
    """Sign in to an account that has more sessions than its limit allows."""
    stage.signed_in(TABLET)
    stage.add(60)
    return stage.signed_in()


scene("pages-refused", SESSION_LIMIT_AT_LIMIT="deny")(asked_by_many)
scene("pages-chooser", SESSION_LIMIT=60, SESSION_LIMIT_AT_LIMIT="ask")(asked_by_many)
scene("pages-chooser-all", SESSION_LIMIT=2, SESSION_LIMIT_AT_LIMIT="ask")(asked_by_many)


@scene("sessions-ended-one", SESSION_LIMIT=3)
def _(stage):
    stage.signed_in(PHONE)
    visitor = stage.signed_in(address=LIST)
    visitor.page.locator("form button[aria-label]").first.click()
    visitor.page.wait_for_url("**done=*")
    return visitor


@scene("confirm-own")
def _(stage):
    visitor = stage.signed_in(address=LIST)
    visitor.press("Sign out of this device")
    return visitor


@scene("confirm-others", SESSION_LIMIT=5)
def _(stage):
    visitor = stage.signed_in()
    stage.add(3)
    visitor.open(f"{LIST}end-others/")
    return visitor


@scene("confirm-password", SESSION_LIMIT=5, SESSION_LIMIT_REAUTHENTICATION_AGE=0)
def _(stage):
    visitor = stage.signed_in()
    stage.add(3)
    visitor.open(f"{LIST}end-others/")
    return visitor


@scene("confirm-wrong-password", SESSION_LIMIT=5, SESSION_LIMIT_REAUTHENTICATION_AGE=0)
def _(stage):
    visitor = stage.signed_in(PHONE)
    stage.add(1)
    visitor.open(f"{LIST}end-others/")
    visitor.fill("Password", "wrong")
    visitor.press("Sign out 1 device")
    return visitor


@scene("new-sign-in", SESSION_LIMIT=3)
def _(stage):
    laptop = stage.signed_in()
    stage.signed_in(PHONE)
    # The first page notices the new sign-in, and the next one reports it.
    laptop.reload()
    laptop.reload()
    return laptop


@scene("mail", SESSION_LIMIT=3, SESSION_LIMIT_NEW_SIGN_IN="mail")
def _(stage):
    stage.site.sql("UPDATE auth_user SET email = 'ada@tidewater.example'")
    stage.signed_in()
    visitor = stage.signed_in(PHONE)
    [sent] = Path(f"{stage.site.database}.mail").iterdir()
    mail = email.message_from_bytes(sent.read_bytes(), policy=email.policy.default)
    visitor.page.goto("about:blank")
    visitor.page.set_content(mail.get_body().get_content())
    return visitor


def arabic(name, function):
    class InArabic(Stage):
        def visitor(self, device=LAPTOP, **options):
            return super().visitor(device, locale="ar", **options)

    def arabic_scene(stage):
        stage.__class__ = InArabic
        return function(stage)

    scene(f"{name}-arabic", **scenes[name][1])(arabic_scene)


def _pressed(stage, *devices):
    """Start a play on each of these devices, and return the last visitor."""
    for device in devices:
        arrived = stage.visitor(device)
        arrived.sign_in("theo", PASSWORDS["theo"], "/live/")
        arrived.page.wait_for_timeout(500)
    return arrived


@scene("play-asked", SESSION_LIMIT_PLAYS_AT_LIMIT="ask")
def _(stage):
    return _pressed(stage, LAPTOP, PHONE, TABLET)


@scene("play-moved", SESSION_LIMIT_PLAYS=1)
def _(stage):
    laptop = _pressed(stage, LAPTOP)
    _pressed(stage, PHONE)
    laptop.page.locator(".session-limit-play").wait_for()
    return laptop


@scene("play-cooling", SESSION_LIMIT_PLAYS=1, SESSION_LIMIT_PLAY_COOLDOWN=60)
def _(stage):
    laptop = _pressed(stage, LAPTOP)
    _pressed(stage, PHONE)
    laptop.page.locator(".session-limit-play button").click()
    laptop.page.wait_for_timeout(500)
    return laptop


for _name in ("ended-displaced", "chooser", "sessions-3", "live-over"):
    arabic(_name, scenes[_name][0])


@scene("admin-list", SESSION_LIMIT=None)
def _(stage):
    stage.signed_in()
    stage.add(4)
    stage.add(3, ended=True)
    return stage.administrator("/admin/session_limit/usersession/")


@scene("admin-detail", SESSION_LIMIT=None)
def _(stage):
    stage.signed_in()
    visitor = stage.administrator("/admin/session_limit/usersession/?q=ada")
    visitor.press("ada")
    return visitor


@scene("admin-confirm", SESSION_LIMIT=None)
def _(stage):
    stage.signed_in()
    stage.add(3)
    visitor = stage.administrator("/admin/session_limit/usersession/?q=ada")
    for box in visitor.page.locator("td.action-checkbox input").all():
        box.check()
    visitor.page.locator("select[name=action]").select_option("end_sessions")
    visitor.page.locator(".actions button").click()
    visitor.page.get_by_role("link", name="Cancel").wait_for()
    return visitor


@scene("admin-user", SESSION_LIMIT=None)
def _(stage):
    stage.signed_in()
    stage.add(3)
    visitor = stage.administrator("/admin/auth/user/?q=ada")
    visitor.press("ada")
    return visitor


@scene("admin-timeline", SESSION_LIMIT=None)
def _(stage):
    stage.signed_in()
    stage.add_past()
    visitor = stage.administrator("/admin/auth/user/?q=ada")
    visitor.press("ada")
    visitor.press("Timeline")
    return visitor


@scene("admin-timeline-day", SESSION_LIMIT=None)
def _(stage):
    visitor = scenes["admin-timeline"][0](stage)
    visitor.press("Last 24 hours")
    return visitor
