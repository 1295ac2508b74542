"""What a project learns from the log and the signals, when, and what they leave out."""

from __future__ import annotations

import json
import logging

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.db import transaction
from django.test import override_settings

from session_limit import audit, registry
from session_limit.models import UserSession
from session_limit.policy import AtLimit
from session_limit.signals import limit_reached, session_ended, session_started
from session_limit.testing import PHONE
from tests.stories.people import JSON, SIGNED_IN, Visitor, events, live, make_user

Reason = UserSession.Reason
FIREFOX = "Firefox on Windows"
CHROME = "Chrome on Android"


@pytest.fixture(autouse=True)
def project(settings, transactional_db, caplog):
    settings.ROOT_URLCONF = "tests.stories.urls"
    settings.LOGOUT_REDIRECT_URL = "/public/"
    caplog.set_level(logging.INFO, logger="session_limit")


@pytest.fixture
def ada():
    return make_user("ada")


@pytest.fixture(params=["sync", "async"])
def laptop(request):
    return Visitor(is_async=request.param == "async")


@pytest.fixture
def phone(laptop):
    return Visitor(PHONE, is_async=laptop.is_async)


@pytest.fixture
def heard():
    """Collect the signals and their arguments, in order."""
    told = []

    def listen(signal, **kwargs):
        told.append((signal, kwargs))

    signals = (session_started, session_ended, limit_reached)
    for each in signals:
        each.connect(listen)
    yield told
    for each in signals:
        each.disconnect(listen)


def test_a_displacement_in_the_log(ada, laptop, phone, caplog):
    laptop.sign_in()
    (first,) = live(ada)
    phone.sign_in()
    (second,) = live(ada)
    laptop.open(**JSON)
    phone.sign_out()
    assert events(caplog) == [
        {
            "event": f"session_created:{ada.pk}",
            "session": str(first.pk),
            "device": FIREFOX,
            "address": "127.0.0.0",
        },
        {
            "event": f"session_expired:{ada.pk},displaced",
            "session": str(first.pk),
            "by_session": str(second.pk),
        },
        {
            "event": f"session_created:{ada.pk}",
            "session": str(second.pk),
            "device": CHROME,
            "address": "127.0.0.0",
        },
        {
            "event": f"excess_sessions_exceeded:{ada.pk},1",
            "at_limit": "displace",
            "session": str(second.pk),
        },
        {
            "event": f"session_use_after_expire:{ada.pk}",
            "session": str(first.pk),
            "reason": "displaced",
        },
        {"event": f"session_logout:{ada.pk}", "session": str(second.pk)},
    ]


def test_levels(ada, laptop, phone, caplog, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    phone.sign_in()
    levels = [(record.levelname, record.name) for record in ours(caplog)]
    assert levels == [("INFO", "session_limit"), ("WARNING", "session_limit")]
    assert events(caplog)[1] == {
        "event": f"excess_sessions_exceeded:{ada.pk},1",
        "at_limit": "deny",
    }


def ours(caplog):
    return [record for record in caplog.records if record.name == "session_limit"]


def test_who_ended_it(ada, laptop, caplog):
    admin = make_user("grace")
    laptop.sign_in()
    caplog.clear()
    (ended,) = registry.end_all(ada, Reason.REVOKED, by=admin)
    assert events(caplog) == [
        {
            "event": f"session_expired:{ada.pk},revoked",
            "session": str(ended.pk),
            "by": str(admin.pk),
        }
    ]


def test_a_logger_that_is_off_costs_nothing(ada, laptop, caplog):
    caplog.set_level(logging.CRITICAL, logger="session_limit")
    laptop.sign_in()
    assert not ours(caplog)


def test_control_characters_begin_no_line(ada, laptop, caplog, monkeypatch):
    """An event is one line of JSON, whatever a client sends."""
    laptop.sign_in()
    (row,) = live(ada)
    row.device = 'x\r\n{"event": "forged"}\x1b[31m\u2028\x85'
    row.scope = "\n"
    caplog.clear()
    audit.started(row)
    audit.ended(row)
    for record in ours(caplog):
        message = record.getMessage()
        assert message.isascii()
        assert message.isprintable()
        assert json.loads(message)["event"].startswith("session_")
    assert events(caplog)[0]["device"] == row.device


def test_no_key_in_the_log(ada, laptop, phone, caplog):
    laptop.sign_in()
    keys = {*Session.objects.values_list("session_key", flat=True)}
    digests = {row.key_digest for row in live(ada)}
    phone.sign_in()
    laptop.open(**JSON)
    keys |= {*Session.objects.values_list("session_key", flat=True)}
    digests |= {row.key_digest for row in live(ada)}
    assert len(keys) == len(digests) == 2
    for secret in keys | digests:
        assert secret not in caplog.text


def test_the_signals(ada, laptop, phone, heard):
    laptop.sign_in()
    (first,) = live(ada)
    phone.sign_in()
    (second,) = live(ada)
    phone.sign_out()
    signals = [signal for signal, _ in heard]
    assert signals == [
        session_started,
        session_ended,
        session_started,
        limit_reached,
        session_ended,
    ]
    started, ended, _, limit, signed_out = [kwargs for _, kwargs in heard]
    assert all(kwargs["sender"] is UserSession for _, kwargs in heard)
    assert started["session"] == first
    assert started["request"].path == laptop.path("login")

    assert ended["session"] == first
    assert not ended["session"].is_live
    assert (ended["reason"], ended["by"], ended["by_session"]) == (
        Reason.DISPLACED,
        "",
        second.pk,
    )
    assert limit["user"] == ada
    assert (limit["scope"], limit["limit"]) == ("", 1)
    assert (limit["at_limit"], limit["session_id"]) == (AtLimit.DISPLACE, second.pk)
    assert (signed_out["session"], signed_out["reason"], signed_out["by_session"]) == (
        second,
        Reason.SIGNED_OUT,
        None,
    )


def test_a_refusal_is_heard(ada, laptop, phone, heard, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    phone.sign_in()
    assert [signal for signal, _ in heard] == [session_started, limit_reached]
    kwargs = heard[1][1]
    assert (kwargs["at_limit"], kwargs["session_id"]) == (AtLimit.DENY, None)


def test_listeners_hear_after_the_commit(ada, laptop, phone, heard, caplog):
    laptop.sign_in()
    heard.clear()
    caplog.clear()
    with transaction.atomic():
        registry.end_all(ada, Reason.REVOKED)
        assert heard == []
        assert events(caplog) == []
    assert [signal for signal, _ in heard] == [session_ended]
    assert len(events(caplog)) == 1


def test_what_is_rolled_back_is_not_heard(ada, laptop, heard, caplog):
    laptop.sign_in()
    heard.clear()
    caplog.clear()
    with transaction.atomic():
        registry.end_all(ada, Reason.REVOKED)
        transaction.set_rollback(True)
    assert heard == []
    assert events(caplog) == []
    assert laptop.state == SIGNED_IN


def test_a_listener_that_fails_fails_nothing_else(ada, laptop, phone, heard, caplog):
    def fail(**kwargs):
        raise ZeroDivisionError

    signals = (session_started, session_ended, limit_reached)
    for each in signals:
        each.connect(fail)
    try:
        assert laptop.sign_in().status_code == 302
        assert phone.sign_in().status_code == 302
    finally:
        for each in signals:
            each.disconnect(fail)
    assert phone.state == SIGNED_IN
    assert laptop.state == Reason.DISPLACED
    assert len(heard) == 4
    failures = [record for record in caplog.records if record.exc_info]
    assert len(failures) >= 4


def test_a_listener_may_use_the_database(ada, laptop, phone):
    names = []

    def look(session, **kwargs):
        names.append(get_user_model().objects.get(pk=session.user_id).get_username())

    session_ended.connect(look)
    try:
        laptop.sign_in()
        phone.sign_in()
    finally:
        session_ended.disconnect(look)
    assert names == ["ada"]


@pytest.mark.parametrize("at_limit", ["displace", "deny", "observe"])
def test_the_limit_is_reported_once(ada, laptop, phone, heard, at_limit):
    with override_settings(SESSION_LIMIT_AT_LIMIT=at_limit):
        laptop.sign_in()
        phone.sign_in()
    reported = [kwargs for signal, kwargs in heard if signal is limit_reached]
    assert [each["at_limit"] for each in reported] == [at_limit]
