"""An account's own limit is set, lowered and removed."""

from __future__ import annotations

import logging

import pytest
from django.db import transaction

from session_limit import registry
from session_limit.models import AccountLimit, UserSession
from tests.stories.people import SIGNED_IN, Visitor, events, live, make_user, reasons

Reason = UserSession.Reason


@pytest.fixture
def grace():
    return make_user("grace")


@pytest.fixture
def three(settings, ada, time):
    """Sign ada in with three browsers, the least recent first."""
    settings.SESSION_LIMIT = 3
    browsers = []
    for _ in range(3):
        browsers.append(Visitor())
        browsers[-1].sign_in("ada")
        time.advance(10)
    return browsers


def test_sessions_beyond_a_lower_limit_end_at_once(ada, grace, three):
    ended = registry.set_limit(ada, 1, by=grace)
    assert len(ended) == 2
    assert [browser.state for browser in three] == [
        Reason.LIMIT_LOWERED,
        Reason.LIMIT_LOWERED,
        SIGNED_IN,
    ]
    assert {row.ended_by for row in UserSession.objects.ended()} == {str(grace.pk)}


def test_it_comes_before_the_projects_and_goes_back_to_it(ada, three, settings):
    assert registry.set_limit(ada, 4) == []
    assert registry.limit_of(ada) == 4
    Visitor().sign_in("ada")
    assert len(live(ada)) == 4
    assert len(registry.set_limit(ada, None)) == 1
    assert registry.limit_of(ada) == 3
    assert reasons() == [Reason.LIMIT_LOWERED]


def test_an_account_that_nobody_has_signed_in_to(ada):
    assert registry.set_limit(ada, 2) == []
    assert AccountLimit.objects.get(pk=ada.pk).limit == 2


@pytest.mark.parametrize("limit", [0, -1, True, 2.0, "2"])
def test_what_is_no_limit(ada, three, limit):
    with pytest.raises(ValueError, match="whole number from 1"):
        registry.set_limit(ada, limit)
    assert len(live(ada)) == 3


def test_what_is_logged(ada, grace, caplog):
    caplog.set_level(logging.INFO, logger="session_limit")
    registry.set_limit(ada, 2, by=grace)
    registry.set_limit(ada, 2, by=grace)
    registry.set_limit(ada, None)
    with transaction.atomic():
        registry.set_limit(ada, 5)
        transaction.set_rollback(True)
    by = grace.pk if isinstance(grace.pk, int) else str(grace.pk)
    assert events(caplog) == [
        {"event": f"session_limit_changed:{ada.pk},None,2", "by": by},
        {"event": f"session_limit_changed:{ada.pk},2,None"},
    ]
    levels = {record.levelname for record in caplog.records}
    assert levels == {"WARNING"}
