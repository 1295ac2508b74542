"""Make the database give up on each statement of what a person does, one at a time."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test import override_settings

from session_limit.models import Play
from tests import stores
from tests.interleavings.browsers import Tab, live, whose
from tests.interleavings.gates import deadlock, plain

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.interleavings.urls"),
    stores.on("db"),
]

SESSIONS = "/account/sessions/"
# Django executes these before any of our code runs: the UPDATE of a password change,
# and what begins the transaction of a view.
DJANGOS = ("BEGIN", "UPDATE {users} SET password", "SELECT {users}.id")


class FailsAt:
    """Fail the statement with this number, and note all that have been executed."""

    def __init__(self, number):
        self.number = number
        self.executed = []

    def __call__(self, execute, sql, params, many, context):
        self.executed.append(plain(sql))
        if len(self.executed) == self.number:
            raise deadlock()
        return execute(sql, params, many, context)


def sign_in(tab, user):
    """
    Sign in where another browser is displaced and an anonymous session has a cart.
    """
    Tab().sign_in(user)
    tab.get("/put/?item=book")
    return lambda: tab.sign_in(user)


def sign_out(tab, user):
    tab.sign_in(user)
    return lambda: tab.post("/logout/")


def change_password(tab, user):
    tab.sign_in(user)
    return tab.change_password


def choose(tab, user):
    with override_settings(SESSION_LIMIT_AT_LIMIT="ask"):
        Tab().sign_in(user)
        answer = tab.sign_in(user).json()
    ids = [session["id"] for session in answer["sessions"]]
    data = {"choice": answer["choice"], "end": ids}
    return lambda: tab.post(f"{SESSIONS}choose/", data)


def stop_playing(tab, user):
    tab.sign_in(user)
    tab.post(f"{SESSIONS}plays/", json.dumps({}), content_type="application/json")
    play = Play.objects.get(ended_at=None)
    return lambda: tab.post(f"{SESSIONS}plays/{play.pk}/stop/")


def state(tab, user):
    """Return the number of live sessions, the user of this browser, and its key."""
    return len(live(user)), whose(tab.key) if tab.key else None, tab.key


@pytest.mark.parametrize("atomic", [False, True])
@pytest.mark.parametrize(
    "action",
    [sign_in, sign_out, change_password, choose, stop_playing],
    ids=lambda action: action.__name__,
)
def test_every_statement(django_user_model, settings, request, action, atomic):
    """
    A failed statement is repeated, skipped or answered 503, but never 500. If the view
    has a transaction, a 503 changes nothing. Fails, as a 500, if an error after the
    commit is raised, or if a statement that may be skipped fails a response that has
    been decided.
    """
    settings.SESSION_LIMIT_PLAYS = 1
    users = django_user_model._meta.db_table
    djangos = tuple(each.format(users=users) for each in DJANGOS)
    if atomic:
        request.getfixturevalue("atomic_requests")
    number = 0
    while True:
        number += 1
        user = django_user_model.objects.create_user(f"user{number}", password="pw")
        tab = Tab(raise_request_exception=False)
        act = action(tab, user)
        before = state(tab, user)
        fails = FailsAt(number)
        with connection.execute_wrapper(fails):
            answer = act()
        if len(fails.executed) < number:
            break
        statement = f"{number}: {fails.executed[-1]}"
        if answer.status_code == 500 and fails.executed[-1].startswith(djangos):
            continue
        assert answer.status_code in {200, 302, 503}, statement
        if answer.status_code == 503:
            assert not answer.cookies, statement
            if atomic:
                assert state(tab, user) == before, statement
            assert act().status_code < 500, statement
    assert number > 3
