"""Sessions from before the installation, and sessions after the package was removed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from session_limit.models import UserSession
from tests import stores
from tests.stories.people import (
    SIGNED_IN,
    live,
    mark_as_installed_later,
    reasons,
    statements,
)

Reason = UserSession.Reason


@pytest.fixture
def installed_later(ada, settings):
    """
    Return a function that signs browsers in as if the package was installed later.
    """

    def sign_in(*browsers):
        limit, settings.SESSION_LIMIT = settings.SESSION_LIMIT, None
        for browser in browsers:
            browser.sign_in()
        settings.SESSION_LIMIT = limit
        for browser in browsers:
            mark_as_installed_later(browser)

    settings.SESSION_LIMIT = 1
    return sign_in


def test_one_signed_in_before(ada, laptop, phone, installed_later):
    installed_later(laptop)
    assert laptop.name == "ada"
    (row,) = live(ada)
    assert row.adopted
    assert laptop.row == row
    assert laptop.state == SIGNED_IN

    phone.sign_in()
    assert laptop.state == Reason.DISPLACED


def test_one_signed_in_before_and_not_seen_since(ada, laptop, phone, installed_later):
    """
    The session has no row, so that no sign-in could count it. It returns when the place
    is taken.
    """
    installed_later(laptop)
    phone.sign_in()
    assert laptop.name is None
    assert laptop.state == Reason.DISPLACED
    assert phone.state == SIGNED_IN
    assert len(live(ada)) == 1


def test_several_signed_in_before(ada, laptop, phone, tablet, installed_later):
    installed_later(laptop, phone, tablet)
    # The first one to send a request takes the place.
    assert phone.name == "ada"
    assert laptop.name is None
    assert tablet.state == Reason.DISPLACED
    assert phone.state == SIGNED_IN
    assert laptop.state == Reason.DISPLACED


def test_several_signed_in_before_with_places_for_all(
    ada, laptop, phone, tablet, browser, settings, installed_later
):
    settings.SESSION_LIMIT = 3
    installed_later(laptop, phone, tablet)
    assert [each.name for each in (laptop, phone, tablet)] == ["ada"] * 3
    assert reasons() == []

    # A session that signs in now is newer than all of them.
    another = browser()
    another.sign_in()
    states = [each.state for each in (laptop, phone, tablet)]
    assert sorted(states) == sorted([SIGNED_IN, SIGNED_IN, Reason.DISPLACED])
    assert another.state == SIGNED_IN


def test_under_oldest_an_adopted_one_goes_first(
    ada, laptop, phone, tablet, settings, installed_later
):
    settings.SESSION_LIMIT_DISPLACE = "oldest"
    installed_later(phone)
    settings.SESSION_LIMIT = 2
    laptop.sign_in()
    assert phone.name == "ada"
    tablet.sign_in()
    assert phone.state == Reason.DISPLACED
    assert laptop.state == tablet.state == SIGNED_IN


def test_an_active_one_signed_in_before_ends_nobody(
    ada, laptop, phone, installed_later
):
    installed_later(laptop)
    phone.sign_in()
    for _ in range(3):
        assert laptop.name is None
        assert phone.name == "ada"
    assert len(live(ada)) == 1


def test_under_observe_nobody_who_signed_in_before_is_ended(
    ada, laptop, phone, tablet, settings, installed_later, caplog
):
    settings.SESSION_LIMIT_AT_LIMIT = "observe"
    installed_later(laptop, phone, tablet)
    assert [each.name for each in (laptop, phone, tablet)] == ["ada"] * 3
    assert reasons() == []
    met = [record for record in caplog.records if "excess_sessions" in record.message]
    assert len(met) == 2


def test_under_deny_what_was_signed_in_before_takes_its_place_when_seen(
    ada, laptop, phone, settings, installed_later
):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    installed_later(laptop)
    assert laptop.name == "ada"
    assert phone.sign_in().status_code == 403
    assert laptop.state == SIGNED_IN


def test_the_first_requests_of_one_browser_in_parallel_are_one_session(
    ada, laptop, installed_later
):
    """Each request loads the session before the answer to another was saved."""
    installed_later(laptop)
    cookie, before = laptop.cookie, laptop.stored
    for _ in range(6):
        assert laptop.name == "ada"
        assert len(live(ada)) == 1
        # The next request loads what the first one did.
        laptop.cookie = stores.write(cookie, before)
    assert laptop.state == SIGNED_IN
    assert reasons() == []


def test_parallel_first_requests_of_one_that_is_not_adopted_leave_one_tombstone(
    ada, laptop, phone, installed_later
):
    installed_later(laptop)
    cookie, before = laptop.cookie, laptop.stored
    phone.sign_in()
    for _ in range(3):
        assert laptop.name is None
        laptop.cookie = stores.write(cookie, before)
    assert reasons() == [Reason.DISPLACED]
    assert laptop.state == Reason.DISPLACED
    assert phone.state == SIGNED_IN


def test_adoption_costs_once(ada, laptop, installed_later):
    installed_later(laptop)
    laptop.open()
    with statements() as ran:
        laptop.open()
    assert len(ran) == stores.STATEMENTS


def test_who_signed_in_before_and_signs_in_again(ada, laptop, installed_later):
    installed_later(laptop)
    assert laptop.sign_in().status_code == 302
    assert laptop.state == SIGNED_IN
    assert len(live(ada)) == 1


def test_who_signed_in_before_and_signs_out(ada, laptop, installed_later):
    installed_later(laptop)
    thief = laptop.twin()
    laptop.sign_out()
    assert live() == []
    assert thief.name is None


def test_another_user_where_somebody_was_signed_in_before(
    ada, bob, laptop, installed_later
):
    installed_later(laptop)
    assert laptop.sign_in("bob").status_code == 302
    assert laptop.name == "bob"
    assert live(ada) == []


@pytest.mark.skipif(
    settings.ENGINE == "qsessions_cached_db",
    reason="it saves a session deleted with its user: a 400 without this package too",
)
def test_a_session_of_an_account_that_is_gone(ada, laptop, installed_later):
    installed_later(laptop)
    ada.delete()
    assert laptop.name is None
    assert UserSession.objects.count() == 0


TAKEN_OUT = """
import os, sys
sys.path[:0] = {paths}
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
from django.conf import settings
settings.DATABASES = {{"default": {{
    "ENGINE": "django.db.backends.sqlite3", "NAME": {name!r}}}}}
settings.ROOT_URLCONF = "tests.stories.urls_plain"
if {taken_out}:
    settings.INSTALLED_APPS.remove("session_limit")
    settings.MIDDLEWARE.remove("session_limit.middleware.SessionLimitMiddleware")
import django
django.setup()
from django.core.management import call_command
from django.contrib.auth import get_user_model
from django.test import Client
from django.db import connection
"""


def python(tmp_path, code, *, taken_out):
    root = Path(__file__).parents[2]
    head = TAKEN_OUT.format(
        paths=[str(root), *sys.path],
        name=str(tmp_path / "scratch.sqlite3"),
        taken_out=taken_out,
    )
    ran = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", head + code],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={
            **os.environ,
            "SESSION_LIMIT_TEST_DB": "sqlite",
            # tests/interleavings/test_installation.py tests other engines.
            "SESSION_LIMIT_TEST_ENGINE": "db",
        },
        cwd=tmp_path,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()


def test_the_package_taken_out_again(tmp_path):
    """Removing the package, adding it again and dropping its tables sign nobody out."""
    sign_in = """
call_command("migrate", verbosity=0)
get_user_model().objects.create_user(username="ada", password="pw")
client = Client()
client.post("/login/", {"username": "ada", "password": "pw"})
assert client.get("/whoami/").json() == {"user": "ada"}
from session_limit.models import UserSession
assert UserSession.objects.live().count() == 1
print(client.cookies["sessionid"].value)
"""
    look = """
client = Client()
client.cookies["sessionid"] = {cookie!r}
assert client.get("/write/").json() == {{"user": "ada", "n": {n}}}
"""
    migrate_to_zero = """
call_command("migrate", "session_limit", "zero", verbosity=0)
tables = connection.introspection.table_names()
assert not [name for name in tables if name.startswith("session_limit")], tables
"""
    (cookie,) = python(tmp_path, sign_in, taken_out=False)
    python(tmp_path, look.format(cookie=cookie, n=1), taken_out=True)
    in_again = look.format(cookie=cookie, n=2) + migrate_to_zero
    python(tmp_path, in_again, taken_out=False)
    python(tmp_path, look.format(cookie=cookie, n=3), taken_out=True)
