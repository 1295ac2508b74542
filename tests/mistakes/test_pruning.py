"""A table that only grows, because ``prunesessions`` does not run."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import OperationalError
from django.test import override_settings

from session_limit import registry
from session_limit.checks import pruning
from session_limit.checks.pruning import check_pruning
from session_limit.models import EndReason, UserSession
from session_limit.testing import LAPTOP
from session_limit.utils.clock import utc_now
from tests.mistakes.messages import said, the_message
from tests.stories.people import Visitor, make_user


@pytest.fixture
def ended(db):
    """Return a function that makes the session end ``days`` ago."""
    make_user("ada")
    laptop = Visitor(LAPTOP)
    laptop.sign_in()
    registry.end([laptop.row.pk], EndReason.REVOKED)

    def ended(days):
        moment = utc_now() - timedelta(days=days)
        UserSession.objects.update(ended_at=moment)

    return ended


def test_sessions_that_are_kept_for_too_long(ended):
    ended(days=45)
    text = the_message(check_pruning, "W315", databases=["default"])
    assert "manage.py prunesessions" in text
    call_command("prunesessions", verbosity=0)
    assert said(check_pruning, databases=["default"]) == {}


@pytest.mark.parametrize("days", [0, 29, 31, 43])
def test_sessions_that_the_next_run_deletes(ended, days):
    ended(days)
    assert said(check_pruning, databases=["default"]) == {}


@pytest.mark.parametrize("databases", [None, [], ["other"]])
def test_no_database_that_may_be_asked(ended, databases, django_assert_num_queries):
    ended(days=90)
    with django_assert_num_queries(0):
        assert said(check_pruning, databases=databases) == {}


@override_settings(SESSION_LIMIT_RETENTION=timedelta(days=80))
def test_the_retention_of_the_project(ended):
    ended(days=90)
    assert said(check_pruning, databases=["default"]) == {}


@pytest.mark.parametrize("value", [None, "30", timedelta.max])
def test_a_retention_that_is_none(ended, value):
    with override_settings(SESSION_LIMIT_RETENTION=value):
        assert said(check_pruning, databases=["default"]) == {}


@pytest.mark.parametrize("error", [OperationalError, ImproperlyConfigured])
def test_a_database_that_does_not_answer(ended, monkeypatch, error):
    def fail(*args):
        raise error

    ended(days=90)
    monkeypatch.setattr(pruning, "_has_ended_before", fail)
    assert said(check_pruning, databases=["default"]) == {}


def test_a_database_without_the_table(ended, monkeypatch):
    ended(days=90)
    monkeypatch.setattr(pruning.UserSession._meta, "db_table", "session_limit_other")
    assert said(check_pruning, databases=["default"]) == {}
