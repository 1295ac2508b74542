"""Events that happen while a person chooses which session to sign out."""

from __future__ import annotations

from functools import partial

import pytest
from django.contrib.auth import get_user_model

from session_limit.models import PendingSignIn
from tests import stores
from tests.interleavings.browsers import JSON, Tab, live, whose
from tests.interleavings.gates import ROW_LOCKS, SAVE, aside, at_once

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.interleavings.urls"),
]

CHOOSE = "/account/sessions/choose/"
# An admission begins with this statement.
LOCK = "INSERT INTO session_limit_accountlimit"


@pytest.fixture(autouse=True)
def ask(settings):
    settings.SESSION_LIMIT_AT_LIMIT = "ask"


@pytest.fixture
def laptop(ada):
    """Sign in the browser that occupies the only place."""
    laptop = Tab()
    laptop.sign_in(ada)
    return laptop


def asked(tab, user, path=None):
    """Sign in at the limit, and return the data of the form that makes the choice."""
    answer = tab.sign_in(user, path=path)
    assert answer.status_code == 409
    question = answer.json()
    return {
        "choice": question["choice"],
        "end": [rival["id"] for rival in question["sessions"]],
    }


def choose(tab, data):
    return tab.post(CHOOSE, data, headers=JSON)


def test_two_tabs_post_one_choice(ada, laptop, browser, settings):
    """
    Two tabs post the same choice, and both find the pending sign-in. The second to lock
    the account is not admitted, although there is room by then. Fails if the pending
    sign-in is looked up only before the lock.
    """
    tab = browser()
    data = asked(tab, ada)
    other = tab.another()
    settings.SESSION_LIMIT = 3
    with aside(partial(choose, other, data), before=LOCK) as late:
        assert choose(tab, data).status_code == 200
        assert late.result().status_code == 410
    assert len(live(ada)) == 2
    assert whose(tab.key) == "ada"
    assert other.key is None or whose(other.key) is None
    assert not PendingSignIn.objects.exists()


@stores.KEPT
def test_a_choice_is_used_up_with_the_admission(ada, laptop, browser, settings):
    """
    An admission deletes the pending sign-in itself, since a request of another tab may
    arrive before the response is sent. Fails if the response phase deletes it.
    """
    tab = browser()
    data = asked(tab, ada)
    other = tab.another()
    settings.SESSION_LIMIT = 3
    with aside(partial(choose, tab, data), before=SAVE) as first:
        assert choose(other, data).status_code == 410
        assert first.result().status_code == 200
    assert len(live(ada)) == 2


@ROW_LOCKS
def test_two_tabs_post_one_choice_in_snapshots(
    ada, laptop, browser, settings, atomic_requests, repeatable_read
):
    """
    As above, but each request is a transaction that keeps its first snapshot. The later
    request may be asked to try again, and is not admitted.
    """
    tab = browser()
    # The project serves its async views without a transaction: Django has none for
    # them.
    data = asked(tab, ada, path="/login/")
    other = tab.another()
    settings.SESSION_LIMIT = 3
    # This thread has found the pending sign-in and holds no lock: last_login is next.
    last_login = f"UPDATE {get_user_model()._meta.db_table}"
    with aside(partial(choose, other, data), before=last_login) as late:
        assert choose(tab, data).status_code == 200
        assert late.result().status_code in {410, 503}
    assert len(live(ada)) == 2
    assert other.key is None or whose(other.key) is None


def test_eight_choose_the_same(ada, laptop, browser):
    """
    One of eight is admitted. The session that the other seven chose has ended, so they
    are asked again.
    """
    tabs = [browser() for _ in range(8)]
    data = [asked(tab, ada) for tab in tabs]
    answers = at_once(
        [partial(choose, *each) for each in zip(tabs, data, strict=True)], before=LOCK
    )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200, *[409] * 7]
    assert len(live(ada)) == 1
    assert [tab for tab in tabs if tab.key and whose(tab.key)] != []
    assert whose(laptop.key) is None
    assert PendingSignIn.objects.count() == 7


def test_the_password_is_changed_while_it_is_made(ada, laptop, browser):
    """
    The choice belongs to a sign-in with the old password, and does not sign in anybody.
    """
    tab = browser()
    data = asked(tab, ada)
    with aside(partial(choose, tab, data), before=LOCK) as late:
        assert laptop.change_password().status_code == 302
        late.result()
    assert tab.key is None or whose(tab.key) is None


def test_what_was_chosen_signs_out_meanwhile(ada, laptop, browser):
    """
    The chosen session has signed out, so its place is free, and the newcomer takes it.
    """
    tab = browser()
    data = asked(tab, ada)
    with aside(partial(choose, tab, data), before=LOCK) as late:
        laptop.post("/logout/")
        assert late.result().status_code == 200
    assert whose(tab.key) == "ada"
    assert len(live(ada)) == 1


def test_a_choice_in_a_transaction_of_the_projects_own(
    ada, laptop, browser, atomic_requests
):
    """
    A pending sign-in survives the rollback of the view that refused the sign-in, and
    that of a choice that did not go through.
    """
    tab = browser()
    data = asked(tab, ada, path="/login/")
    assert PendingSignIn.objects.count() == 1
    assert choose(tab, {**data, "end": "0" * 32}).status_code == 409
    assert PendingSignIn.objects.count() == 1
    assert choose(tab, data).status_code == 200
    assert whose(tab.key) == "ada"
    assert len(live(ada)) == 1
