"""A choice of what to sign out, and what happens while it is being made."""

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
# The first statement of an admission.
LOCK = "INSERT INTO session_limit_accountlimit"


@pytest.fixture(autouse=True)
def ask(settings):
    settings.SESSION_LIMIT_AT_LIMIT = "ask"


@pytest.fixture
def laptop(ada):
    """The browser that has the one place."""
    laptop = Tab()
    laptop.sign_in(ada)
    return laptop


def asked(tab, user, path=None):
    """Sign in at the limit; return what to post to go on."""
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
    Both have found the sign-in that waits; the one that comes second to the account's
    lock is not admitted, though there is room by then. Fails where what waits is looked
    for before the lock alone.
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
    Not with the answer, which another tab may overtake. Fails where what waits is left
    to the response phase.
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
    The same where each request is a transaction that goes on seeing what there was when
    it began. The late one may be told to try again, and is not admitted.
    """
    tab = browser()
    # Django serves no async view of the project's in a transaction.
    data = asked(tab, ada, path="/login/")
    other = tab.another()
    settings.SESSION_LIMIT = 3
    # Where it has found what waits, and no lock is held yet: last_login is next.
    last_login = f"UPDATE {get_user_model()._meta.db_table}"
    with aside(partial(choose, other, data), before=last_login) as late:
        assert choose(tab, data).status_code == 200
        assert late.result().status_code in {410, 503}
    assert len(live(ada)) == 2
    assert other.key is None or whose(other.key) is None


def test_eight_choose_the_same(ada, laptop, browser):
    """One is let in; what the others chose was gone, and they are asked again."""
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
    """Whoever chose has the old one, and is nobody."""
    tab = browser()
    data = asked(tab, ada)
    with aside(partial(choose, tab, data), before=LOCK) as late:
        assert laptop.change_password().status_code == 302
        late.result()
    assert tab.key is None or whose(tab.key) is None


def test_what_was_chosen_signs_out_meanwhile(ada, laptop, browser):
    """Its place is free, and is taken."""
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
    """Refused and asked, then chosen: what waits outlives the view's rollback."""
    tab = browser()
    data = asked(tab, ada, path="/login/")
    assert PendingSignIn.objects.count() == 1
    assert choose(tab, {**data, "end": "0" * 32}).status_code == 409
    assert PendingSignIn.objects.count() == 1
    assert choose(tab, data).status_code == 200
    assert whose(tab.key) == "ada"
    assert len(live(ada)) == 1
