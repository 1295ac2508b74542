"""
Sessions and pending sign-ins that an older version has left go on after an upgrade.

``record.py`` has recorded what version c6e0f44 left, whose last migration is 0003.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import DateTimeField
from django.utils import timezone

from session_limit import audit
from session_limit.client import browser_cookie
from session_limit.models import PendingSignIn, UserSession
from session_limit.pages import chooser, play_swap, use_here
from session_limit.store import engines
from session_limit.testing import LAPTOP
from tests import stores
from tests.stories.people import NOBODY, SIGNED_IN, Visitor, live

RECORDING = json.loads(Path(__file__).with_name("made_by_c6e0f44.json").read_text())
HTML = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}

pytestmark = [
    pytest.mark.urls("tests.stories.urls"),
    stores.on("db"),
    pytest.mark.skipif(
        settings.AUTH_USER_MODEL != "auth.User", reason="recorded with auth.User"
    ),
]


def insert_recorded_rows(apps):
    """Insert the recorded rows, as old now as they were when they were recorded."""
    age = timezone.now() - datetime.fromisoformat(RECORDING["recorded_at"])
    # A session that ended refers to the one that displaced it.
    for row in sorted(RECORDING["rows"], key=lambda row: bool(ended_at(row))):
        model = apps.get_model(row["model"])
        many = {field.name for field in model._meta.many_to_many}
        values = {model._meta.pk.attname: row["pk"]}
        for name, value in row["fields"].items():
            if name in many:
                continue
            field = model._meta.get_field(name)
            values[field.attname] = (
                datetime.fromisoformat(value) + age
                if isinstance(field, DateTimeField) and value is not None
                else value
            )
        model._base_manager.create(**values)


def ended_at(row):
    return row["fields"].get("ended_at")


@pytest.fixture
def _upgraded(transactional_db):
    """Migrate back to the old version's tables, insert its rows, and upgrade."""
    old = [("session_limit", "0003_plays")]
    try:
        executor = MigrationExecutor(connection)
        executor.migrate(old)
        others = [
            node
            for node in executor.loader.graph.leaf_nodes()
            if node[0] != "session_limit"
        ]
        insert_recorded_rows(executor.loader.project_state(old + others).apps)
    finally:
        call_command("migrate", verbosity=0)


def browser(name):
    recorded = RECORDING["browsers"][name]
    visitor = Visitor(recorded["user_agent"])
    for cookie, value in recorded["cookies"].items():
        visitor.client.cookies[cookie] = value
    return visitor


@pytest.mark.usefixtures("_upgraded")
def test_a_session_goes_on_and_counts():
    rows = {row.pk for row in live()}
    phone = browser("live")
    assert phone.name == "ada"
    assert {row.pk for row in live()} == rows
    # It is the one that the next sign-in displaces.
    Visitor(LAPTOP).sign_in()
    assert phone.state == UserSession.Reason.DISPLACED


@pytest.mark.usefixtures("_upgraded")
def test_an_ended_session_is_told_why():
    assert browser("displaced").state == UserSession.Reason.DISPLACED


@pytest.mark.usefixtures("_upgraded")
def test_a_pending_sign_in_goes_on(settings):
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    laptop, phone = browser("bobs"), browser("pending")
    assert (laptop.state, phone.state) == (SIGNED_IN, NOBODY)
    [rival] = live(PendingSignIn.objects.get().user)
    choice = {"choice": RECORDING["code"], "end": [str(rival.pk)]}
    phone.post("/account/sessions/choose/", choice, headers=HTML)
    assert (laptop.state, phone.state) == (UserSession.Reason.DISPLACED, SIGNED_IN)
    assert not PendingSignIn.objects.exists()


def test_what_browsers_and_stores_keep_has_its_name():
    """Fails if a cookie, a key of a session or a salt is renamed."""
    assert chooser.COOKIE == "session_limit_pending"
    assert browser_cookie.COOKIE == "session_limit_browser"
    assert browser_cookie.SALT == "session_limit.browser"
    assert use_here.SALT == "session_limit.choice"
    assert play_swap.SALT == "session_limit.swap"
    assert engines.ID == "_session_limit_id"
    assert engines.ENDED_ID == "_session_limit_ended"
    assert audit.logger.name == "session_limit"
