"""A refused sign-in leaves ``last_login``, so that links for a password stay valid."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in
from django.contrib.auth.tokens import default_token_generator
from django.utils import timezone

from session_limit.store import last_login
from tests.stories.people import NOBODY, SIGNED_IN, Visitor, live, statements
from tests.stories.test_choosing import HTML, choose

HOUR = timedelta(hours=1)


@pytest.fixture(params=["deny", "ask"])
def refuses(request, settings):
    settings.SESSION_LIMIT_AT_LIMIT = request.param


@pytest.fixture
def earlier(ada, laptop):
    """Let ada be signed in for an hour, and return the time of her sign-in."""
    laptop.sign_in()
    at = ada.last_login = timezone.now() - HOUR
    ada.save()
    return at


def last(user):
    return get_user_model()._base_manager.get(pk=user.pk).last_login


@pytest.mark.usefixtures("refuses")
def test_a_link_for_a_password_stays_valid(ada, earlier, phone):
    token = default_token_generator.make_token(ada)
    phone.sign_in()
    assert phone.state == NOBODY
    assert last(ada) == earlier
    ada.refresh_from_db()
    assert default_token_generator.check_token(ada, token)


@pytest.mark.usefixtures("refuses")
def test_a_user_who_had_never_signed_in(ada, laptop, phone):
    laptop.sign_in()
    get_user_model()._base_manager.update(last_login=None)
    phone.sign_in()
    assert last(ada) is None


def test_a_choice_is_a_sign_in(ada, earlier, phone, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    phone.sign_in(headers=HTML)
    assert last(ada) == earlier
    choose(phone, live(ada)[0].pk)
    assert phone.state == SIGNED_IN
    assert last(ada) > earlier


def test_an_admitted_sign_in_sets_it(ada, earlier, phone):
    phone.sign_in()
    assert last(ada) > earlier


@pytest.fixture
def between():
    """Return a function that connects a receiver between Django's and the package's."""
    connected = []

    def connect(receiver):
        user_logged_in.connect(receiver, weak=False)
        receivers = user_logged_in.receivers
        # django-loginas connects Django's receiver again, behind the package's.
        djangos = next(each for each in receivers if "update_last" in str(each[0]))
        receivers.remove(djangos)
        at = next(i for i, each in enumerate(receivers) if "signed_in" in str(each[0]))
        receivers[at:at] = [djangos, receivers.pop()]
        user_logged_in.sender_receivers_cache.clear()
        connected.append(receiver)

    yield connect
    for receiver in connected:
        user_logged_in.disconnect(receiver)


@pytest.mark.usefixtures("refuses")
def test_another_sign_in_meanwhile_is_kept(ada, earlier, phone, between):
    """Fails if a refusal overwrites what another sign-in has written since."""
    newer = timezone.now() + HOUR

    def sign_in_elsewhere(sender, user, **kwargs):
        get_user_model()._base_manager.update(last_login=newer)

    between(sign_in_elsewhere)
    phone.sign_in()
    assert last(ada) == newer


@pytest.mark.usefixtures("refuses")
def test_another_sign_in_before_it_is_kept(ada, earlier, phone, monkeypatch):
    """
    Another sign-in ends while this one checks the password, after it has read the
    user. Fails if a refusal restores the older value.
    """
    newer = earlier + timedelta(minutes=30)
    check = get_user_model().check_password

    def check_slowly(self, password):
        is_right = check(self, password)
        get_user_model()._base_manager.update(last_login=newer)
        return is_right

    monkeypatch.setattr(get_user_model(), "check_password", check_slowly)
    phone.sign_in(path="/login/")
    assert last(ada) == newer


@pytest.mark.usefixtures("refuses")
def test_a_project_that_does_not_record_it(ada, earlier, phone):
    receivers = [*user_logged_in.receivers]
    assert user_logged_in.disconnect(dispatch_uid="update_last_login")
    try:
        phone.sign_in()
    finally:
        user_logged_in.receivers[:] = receivers
        user_logged_in.sender_receivers_cache.clear()
    assert last(ada) == earlier


@pytest.mark.usefixtures("refuses")
def test_a_user_model_that_does_not_have_it(ada, earlier, phone, monkeypatch):
    monkeypatch.setattr(last_login, "FIELD", "no_such_field")
    phone.sign_in()
    assert phone.state == NOBODY


def test_a_sign_in_that_is_never_refused_reads_nothing_more(ada):
    """Fails if the value is read again under ``displace``."""
    phone = Visitor()
    with statements() as ran:
        phone.sign_in()
    reads = [sql for sql in ran if sql.startswith("SELECT") and "last_login" in sql]
    # Each of these reads a whole user.
    assert all("password" in sql for sql in reads)


def test_the_user_of_the_refused_request(ada, earlier, settings, rf, between):
    """The object that signed in shows the former value, too."""
    seen = []

    def remember(sender, user, **kwargs):
        seen.append((user, user.last_login))

    between(remember)
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    Visitor().sign_in()
    [(user, written)] = seen
    assert written > earlier
    assert user.last_login == earlier
