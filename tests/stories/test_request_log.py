"""Django's log of failed requests leaves out refused sign-ins, which are expected."""

from __future__ import annotations

import json
import logging

import pytest
from django.core.exceptions import PermissionDenied
from django.core.signals import got_request_exception

from session_limit.exceptions import SessionLimitReached
from session_limit.testing import PHONE
from session_limit.utils import request_log
from tests.stories.people import PASSWORD


def logged(caplog, name):
    return [record for record in caplog.records if record.name == name]


def audited(caplog):
    records = logged(caplog, "session_limit")
    return [json.loads(record.getMessage())["event"] for record in records]


@pytest.fixture(params=["deny", "ask"])
def at_limit(request, settings):
    settings.SESSION_LIMIT_AT_LIMIT = request.param
    return request.param


@pytest.mark.parametrize("view", ["login", "sign-in-and-swallow"])
def test_only_the_audit_log_has_it(ada, laptop, phone, at_limit, caplog, view):
    """This holds whether the exception leaves the view or the view catches it."""
    laptop.sign_in()
    caplog.clear()
    data = {"username": "ada", "password": PASSWORD, "name": "ada"}
    response = phone.post(phone.path(view), data)
    assert response.status_code == {"deny": 403, "ask": 303}[at_limit]
    assert logged(caplog, "django.request") == []
    assert [event.partition(":")[0] for event in audited(caplog)] == [
        "excess_sessions_exceeded"
    ]


def test_a_refusal_in_a_middleware(ada, remote, at_limit, caplog):
    """Django answers this exception before it reaches a middleware of ours."""
    laptop, phone = remote("ada", "Firefox"), remote("ada", PHONE)
    laptop.open()
    caplog.clear()
    assert phone.open().status_code == {"deny": 403, "ask": 303}[at_limit]
    assert logged(caplog, "django.request") == []
    assert len(audited(caplog)) == 1


def test_one_that_a_person_has_to_choose(ada, remote, caplog):
    """A browser whose session has ended is not signed in automatically again."""
    laptop, phone = remote("ada", "Firefox"), remote("ada", PHONE)
    laptop.open()
    phone.open()
    caplog.clear()
    assert laptop.open().status_code == 401
    assert logged(caplog, "django.request") == []


def test_no_error_is_signalled(ada, laptop, phone, at_limit):
    heard = []

    def hear(**kwargs):
        heard.append(kwargs)

    got_request_exception.connect(hear)
    try:
        laptop.sign_in()
        phone.sign_in()
    finally:
        got_request_exception.disconnect(hear)
    assert heard == []


def test_what_else_is_forbidden_is_logged(ada, laptop, caplog):
    """Django still logs other refusals, errors and 403 answers."""
    laptop.get("/forbidden/")
    laptop.get("/nowhere/")
    assert [record.status_code for record in logged(caplog, "django.request")] == [
        403,
        404,
    ]


@pytest.mark.parametrize(
    ("error", "passes"),
    [(SessionLimitReached(), False), (PermissionDenied(), True), (None, True)],
)
def test_the_filter(error, passes):
    logger = logging.getLogger("django.request")
    request_log.connect()
    request_log.connect()
    assert sum(type(each) is request_log._Unexpected for each in logger.filters) == 1
    exc_info = error and (type(error), error, None)
    record = logger.makeRecord(logger.name, 30, "", 0, "", (), exc_info)
    assert bool(logger.filter(record)) == passes
