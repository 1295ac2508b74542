"""Kill a process at each statement: nothing is half done, and the next one works."""

from __future__ import annotations

import multiprocessing
import signal
from itertools import count

import pytest
from django.conf import settings
from django.db import connections
from django.test import override_settings

from session_limit.models import UserSession
from tests import stores
from tests.interleavings import killed
from tests.interleavings.browsers import Tab, is_only_live, live, whose
from tests.interleavings.gates import PATIENCE, SAVE, is_step
from tests.stories.people import long_recorded

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.interleavings.urls"),
    pytest.mark.skipif(
        settings.ENGINE != "db",
        reason="counts statements; tests/interleavings/test_engines.py tests what an "
        "engine may leave behind",
    ),
]

RECORD = "INSERT INTO session_limit_usersession"
END = "UPDATE session_limit_usersession SET ended_at"
LOCK = "INSERT INTO session_limit_accountlimit"

# The children are forked from a process that has imported Django but opened nothing.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload([killed.__name__])


def kill(point, work, tab, *args):
    """
    Run ``work`` with the cookies of ``tab`` in a separate process, and kill it before
    statement or commit number ``point``.

    Returns that statement, or ``None`` if the process executed fewer.
    """
    reader, writer = processes.Pipe(duplex=False)
    process = processes.Process(
        target=killed.run,
        args=(point, writer, connections.settings["default"], work, tab.key, *args),
    )
    process.start()
    writer.close()
    process.join(PATIENCE)
    exitcode = process.exitcode
    process.kill()
    assert exitcode in {0, -signal.SIGKILL}
    return reader.recv() if exitcode else None


def places(reached):
    """Return which of the statements that matter are among those ``reached``."""
    known = (LOCK, END, RECORD, "COMMIT", SAVE)
    return {each for each in known if any(is_step(text, each) for text in reached)}


@pytest.mark.parametrize("situation", ["first", "atomic", "switch"])
def test_a_sign_in_killed(ada, bob, request, situation):
    """
    The displaced session is either live or ended, in its row, for its cookie and in the
    store alike. The cap holds, and the next sign-in works. Fails if ``admit()`` is not
    one transaction.
    """
    if situation == "atomic":
        request.getfixturevalue("atomic_requests")
    reached = []
    for point in count():
        laptop, phone, next_one = Tab(), Tab(), Tab()
        laptop.sign_in(ada)
        if situation == "switch":
            phone.sign_in(bob)
        (old,) = live(ada)
        place = kill(point, "sign_in", phone, ada.get_username())

        (row,) = live(ada)
        old.refresh_from_db()
        is_live = row == old
        assert is_live == old.is_live == (whose(laptop.key) == "ada"), place
        assert is_live == (laptop.key in stores.kept()), place
        if not is_live:
            assert old.ended_reason == UserSession.Reason.DISPLACED
            assert old.ended_by_session == row.pk
            assert row.session_key in stores.kept()
        assert next_one.sign_in(ada).status_code == 302, place
        assert whose(next_one.key) == "ada"
        assert is_only_live(ada, next_one)
        if place is None:
            break
        reached.append(place)
    # The process was killed at every step, before and after the commit of an admission.
    assert places(reached) == {LOCK, END, RECORD, "COMMIT", SAVE}, reached


def test_an_admission_that_was_never_saved_gives_its_place_back(ada, settings):
    """
    Under ``deny``, a newer sign-in can take the place after a while. Fails if an
    admission does not end the rows of sessions that were never stored.
    """
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    for point in count():
        if kill(point, "sign_in", Tab(), ada.get_username()).startswith(SAVE):
            break
        UserSession.objects.all().delete()
    assert len(live(ada)) == 1
    laptop = Tab()
    assert laptop.sign_in(ada).status_code == 403
    long_recorded()
    assert laptop.sign_in(ada).status_code == 302
    assert whose(laptop.key) == "ada"


def test_a_rotation_killed(ada):
    """
    The browser keeps its old key, which authenticates it or nobody, and a sign-in
    elsewhere displaces it as usual. Fails if the recorded key decides what is live.
    """
    reached = []
    for point in count():
        laptop, phone = Tab(), Tab()
        laptop.sign_in(ada)
        with override_settings(SECRET_KEY="newer", SECRET_KEY_FALLBACKS=["tests"]):
            place = kill(point, "rotate", laptop)
            assert len(live(ada)) == 1
            if laptop.key in stores.kept():
                assert whose(laptop.key) == "ada", place
            phone.sign_in(ada)
            for key in {laptop.key, *stores.kept()} - {phone.key}:
                assert whose(key) is None, place
            assert whose(phone.key) == "ada"
        if place is None:
            break
        reached.append(place)
    assert any(text.startswith("INSERT INTO django_session") for text in reached)
