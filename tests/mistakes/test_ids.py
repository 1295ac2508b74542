"""Sessions where their ids are wanted."""

from __future__ import annotations

from uuid import UUID

import pytest

from session_limit import registry
from session_limit.models import EndReason, UserSession
from session_limit.testing import LAPTOP
from tests.stories.people import Visitor, make_user


class NoIds:
    pass


ID = UUID(int=7)
WRONG = [UserSession(), [UserSession()], [ID, UserSession()], ID, str(ID), None, 3, [3]]
WRONG += [{ID: 1}, b"id", NoIds()]


@pytest.mark.parametrize("number", range(len(WRONG)))
@pytest.mark.usefixtures("db")
def test_what_is_no_list_of_ids(number):
    with pytest.raises(TypeError, match=r"registry.end\(\) takes ids") as raised:
        registry.end(WRONG[number], EndReason.REVOKED)
    assert "registry.end([session.pk], reason)" in str(raised.value)


@pytest.mark.usefixtures("db")
def test_a_session_where_its_id_is_wanted():
    with pytest.raises(TypeError, match=r"registry.end_others\(\) takes ids .*UserSes"):
        registry.end_others(make_user("ada"), UserSession(), EndReason.REVOKED)


@pytest.mark.usefixtures("db")
def test_a_queryset_of_sessions():
    make_user("ada")
    visitor = Visitor(LAPTOP)
    visitor.sign_in()
    with pytest.raises(TypeError, match="not UserSession"):
        registry.end(UserSession.objects.all(), EndReason.REVOKED)
    assert UserSession.objects.get().is_live


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("kind", [list, tuple, set, iter, dict.fromkeys])
@pytest.mark.parametrize("form", [UUID, str])
def test_ids_in_any_collection(kind, form):
    make_user("ada")
    visitor = Visitor(LAPTOP)
    visitor.sign_in()
    ids = kind([form(str(visitor.row.pk))])
    if isinstance(ids, dict):
        ids = ids.keys()
    assert len(registry.end(ids, EndReason.REVOKED)) == 1
