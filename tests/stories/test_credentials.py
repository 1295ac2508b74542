"""Passwords, hashes, secret keys and accounts change while sessions are live."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import MD5PasswordHasher

from session_limit import registry
from session_limit.models import UserSession
from tests import stores
from tests.stories.people import (
    NOBODY,
    PASSWORD,
    SIGNED_IN,
    Visitor,
    live,
    only_kept,
    reasons,
    statements,
)

Reason = UserSession.Reason
NEW = "battery staple"


@pytest.fixture
def two(settings):
    """Allow two sessions per account."""
    settings.SESSION_LIMIT = 2


def test_a_password_changed_here_ends_the_others_and_not_this_one(
    two, ada, laptop, phone
):
    laptop.sign_in()
    phone.sign_in()
    row, key = laptop.row, laptop.cookie

    laptop.change_password(NEW)
    assert laptop.cookie != key
    assert laptop.state == SIGNED_IN
    assert laptop.row == row
    assert phone.state == Reason.PASSWORD_CHANGED
    response = phone.open()
    assert b"Your password was changed" in response.content

    # The phone signs in with the new password, and both have a place.
    phone.sign_in(password=NEW)
    assert laptop.state == phone.state == SIGNED_IN
    assert len(live(ada)) == 2


def test_sessions_that_a_password_change_ended_hold_no_place_under_deny(
    two, ada, laptop, phone, settings, time
):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    phone.sign_in()
    laptop.change_password(NEW)
    time.advance(120)
    laptop.open()
    # The phone has sent no request since.
    tablet = Visitor(is_async=laptop.is_async)
    assert tablet.sign_in(password=NEW).status_code == 302
    assert tablet.state == laptop.state == SIGNED_IN
    assert phone.state == Reason.PASSWORD_CHANGED


def test_the_key_from_before_a_password_change_is_nobodys(ada, laptop):
    laptop.sign_in()
    thief = laptop.twin()
    laptop.change_password(NEW)
    assert thief.name is None
    assert thief.state == NOBODY
    assert laptop.state == SIGNED_IN
    assert len(live(ada)) == 1


def test_a_password_changed_elsewhere(two, ada, laptop, phone):
    """An administrator or a link in a mail changes the password."""
    laptop.sign_in()
    phone.sign_in()
    ada.refresh_from_db()
    ada.set_password(NEW)
    ada.save()
    assert laptop.state == phone.state == Reason.PASSWORD_CHANGED
    assert live(ada) == []
    assert only_kept()

    laptop.sign_in(password=NEW)
    assert laptop.state == SIGNED_IN


def test_a_password_changed_twice(ada, laptop):
    laptop.sign_in()
    laptop.change_password(NEW)
    laptop.change_password(PASSWORD, old=NEW)
    assert laptop.state == SIGNED_IN
    assert len(live(ada)) == 1


class StrongerHasher(MD5PasswordHasher):
    algorithm = "stronger"


def test_a_hash_upgraded_at_sign_in_is_no_password_change(
    two, ada, laptop, phone, settings
):
    laptop.sign_in()
    settings.PASSWORD_HASHERS = [
        f"{__name__}.StrongerHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    phone.sign_in()
    ada.refresh_from_db()
    assert ada.password.startswith("stronger$")
    assert phone.state == SIGNED_IN
    assert laptop.state == Reason.CREDENTIALS_CHANGED
    assert b"password was changed" not in laptop.open().content


def test_a_hash_upgraded_long_after_a_password_change_is_none(
    two, ada, laptop, phone, settings
):
    """The laptop changed the password itself, and stayed signed in."""
    laptop.sign_in()
    laptop.change_password(NEW)
    settings.PASSWORD_HASHERS = [
        f"{__name__}.StrongerHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    phone.sign_in(password=NEW)
    assert laptop.state == Reason.CREDENTIALS_CHANGED


def test_a_secret_key_replaced_without_a_fallback(ada, laptop, settings):
    laptop.sign_in()
    settings.SECRET_KEY = "another"
    # Django cannot decode what is stored any more, and takes it for an empty session.
    assert laptop.name is None
    assert laptop.state == NOBODY

    laptop.sign_in()
    assert laptop.state == SIGNED_IN
    assert len(live(ada)) == 1


def test_a_secret_key_replaced_with_a_fallback(ada, laptop, phone, settings):
    laptop.sign_in()
    key, row = laptop.cookie, laptop.row
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another"
    settings.SECRET_KEY_FALLBACKS = [old]
    # On a GET, Django gives the session a new key and a new hash.
    assert laptop.state == SIGNED_IN
    assert laptop.cookie != key
    assert laptop.row == row
    settings.SECRET_KEY_FALLBACKS = []
    assert laptop.state == SIGNED_IN

    phone.sign_in()
    assert laptop.state == Reason.DISPLACED


def test_dead_cookies_are_recognised_under_a_fallback(ada, laptop, phone, settings):
    laptop.sign_in()
    phone.sign_in()
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another"
    settings.SECRET_KEY_FALLBACKS = [old]
    assert laptop.state == Reason.DISPLACED
    assert phone.state == SIGNED_IN


def test_an_account_disabled_by_save(two, ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    ada.refresh_from_db()
    ada.is_active = False
    ada.save()
    assert live(ada) == []
    assert laptop.state == phone.state == Reason.ACCOUNT_DISABLED
    assert b"Contact support" in laptop.open().content


def test_an_account_disabled_by_update_is_ended_when_seen(two, ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    get_user_model().objects.filter(pk=ada.pk).update(is_active=False)
    assert laptop.state == Reason.ACCOUNT_DISABLED

    # The account is enabled again. The laptop's session ended when it was seen. The
    # phone's was not seen meanwhile, and stays.
    get_user_model().objects.filter(pk=ada.pk).update(is_active=True)
    assert laptop.state == Reason.ACCOUNT_DISABLED
    assert phone.state == SIGNED_IN


def test_an_account_enabled_again_gets_no_session_back(ada, laptop):
    laptop.sign_in()
    thief = laptop.twin()
    ada.refresh_from_db()
    ada.is_active = False
    ada.save()
    ada.is_active = True
    ada.save()
    assert laptop.state == thief.state == Reason.ACCOUNT_DISABLED
    assert laptop.sign_in().status_code == 302
    assert laptop.state == SIGNED_IN
    assert thief.state == Reason.ACCOUNT_DISABLED


def test_a_disabled_account_seen_on_a_public_page(ada, laptop):
    laptop.sign_in()
    get_user_model().objects.filter(pk=ada.pk).update(is_active=False)
    assert laptop.name is None
    assert reasons() == [Reason.ACCOUNT_DISABLED]


# A signed cookie still says that it was a session when no row says so.
WITHOUT_REASON = {None} if stores.is_cookie() else set()


def test_an_account_that_is_deleted(two, ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    ada.delete()
    assert UserSession.objects.count() == 0
    assert only_kept()
    for each in (laptop, phone):
        assert each.name is None
        assert each.state in {NOBODY, *WITHOUT_REASON}


def test_accounts_that_are_deleted_by_a_queryset(two, ada, laptop):
    laptop.sign_in()
    get_user_model().objects.filter(pk=ada.pk).delete()
    assert laptop.name is None
    assert laptop.state in {NOBODY, *WITHOUT_REASON}
    assert UserSession.objects.count() == 0


def test_saving_a_user_ends_nobody_and_costs_nothing(ada, laptop):
    laptop.sign_in()
    ada.refresh_from_db()
    with statements() as ran:
        ada.save()
    assert len(ran) == 1
    assert laptop.state == SIGNED_IN


def test_an_unusable_password(ada, laptop):
    laptop.sign_in()
    ada.refresh_from_db()
    ada.set_unusable_password()
    ada.save()
    assert laptop.name is None
    assert laptop.state == Reason.CREDENTIALS_CHANGED


def test_ended_from_elsewhere(two, ada, bob, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    (ended,) = registry.end_others(ada, laptop.row.pk, Reason.REVOKED, by=ada)
    assert phone.state == Reason.REVOKED
    assert b"list of devices" in phone.open().content
    assert laptop.state == SIGNED_IN

    # Ending again changes nothing, and the first reason stands.
    assert registry.end([ended.pk], Reason.PASSWORD_CHANGED) == []
    assert registry.end([uuid4()], Reason.REVOKED) == []
    assert registry.end([], Reason.REVOKED) == []
    assert registry.end_others(ada, laptop.row.pk, Reason.REVOKED) == []

    assert len(registry.end_all(ada, Reason.REVOKED, by=bob)) == 1
    assert registry.end_all(ada, Reason.REVOKED, by=bob) == []
    assert laptop.state == Reason.REVOKED
    assert b"An administrator ended this session" in laptop.open().content
    assert reasons() == [Reason.REVOKED, Reason.REVOKED]
