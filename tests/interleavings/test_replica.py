"""
All reads go to a replica that lags behind. A session that ended is ended before the
replica knows, and a browser that has just signed in stays signed in.
"""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session

from session_limit.models import AccountLimit, UserSession
from tests import stores
from tests.interleavings.browsers import is_told, key_in, whose

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.interleavings.urls"),
    stores.on("db_replica"),
]

REPLICATED = [get_user_model(), Session, UserSession, AccountLimit]


def catch_up():
    """Copy the current rows of the database to the replica."""
    empty_replica()
    for model in REPLICATED:
        rows = model._base_manager.using("default").all()
        model._base_manager.using("replica").bulk_create(rows)


def empty_replica():
    for model in reversed(REPLICATED):
        model._base_manager.using("replica").all()._raw_delete("replica")


@pytest.fixture(autouse=True)
def emptied_replica():
    yield
    empty_replica()


def sign_in(tab, user):
    response = tab.sign_in(user)
    assert response.status_code == 302
    catch_up()


def test_the_displaced_is_nobody_at_once(ada, browser):
    """
    A displaced session ends at once. Fails if the registry is read from the replica.
    """
    catch_up()
    laptop, phone = browser(), browser()
    sign_in(laptop, ada)
    assert laptop.get("/").status_code == 200
    assert phone.sign_in(ada).status_code == 302
    # The replica has not changed yet.
    assert Session.objects.filter(pk=laptop.key).exists()
    assert is_told(laptop.get("/"))
    assert whose(laptop.key) is None
    catch_up()
    assert whose(laptop.key) is None
    assert whose(phone.key) == "ada"


def test_the_winner_keeps_its_cookie_meanwhile(ada, browser):
    """
    The newcomer's cookie is kept. Fails if a key that the replica does not know yet
    counts as an ended session's.
    """
    catch_up()
    laptop = browser()
    assert laptop.sign_in(ada).status_code == 302
    for path in ("/", "/whoami/"):
        assert key_in(laptop.get(path).cookies) is None
    catch_up()
    assert laptop.get("/").status_code == 200
    assert whose(laptop.key) == "ada"


def test_a_rotation_the_replica_has_not_seen(ada, browser):
    """
    A rotated session is found and ended. Fails if the row is looked up by the key that
    the replica has.
    """
    catch_up()
    laptop, phone = browser(), browser()
    sign_in(laptop, ada)
    first = laptop.key
    assert laptop.change_password().status_code in {200, 302}
    assert laptop.key != first
    catch_up()
    assert whose(laptop.key) == "ada"
    assert phone.sign_in(ada, password="new").status_code == 302
    for key in (first, laptop.key):
        assert whose(key) is None


def test_a_sign_out_the_replica_has_not_seen(ada, browser):
    """The stored session is deleted. Fails if it is first read from the replica."""
    catch_up()
    laptop = browser()
    sign_in(laptop, ada)
    key = laptop.key
    laptop.post("/logout/")
    assert not Session.objects.using("default").filter(pk=key).exists()
    assert whose(key) is None


def test_what_was_stored_since_the_replica_is_deleted(ada, browser):
    """
    Data that the replica does not have yet is deleted too. Django's own ``delete()``
    would find nothing to delete.
    """
    catch_up()
    laptop = browser()
    assert laptop.sign_in(ada).status_code == 302
    key = laptop.key
    (row,) = UserSession.objects.using("default").live()
    laptop.sign_in(ada)
    phone = browser()
    assert phone.sign_in(ada).status_code == 302
    row.refresh_from_db(using="default")
    assert not row.is_live
    assert not Session.objects.using("default").filter(pk=key).exists()
