"""Copies of session values, and comparisons between them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from django.contrib.sessions.backends import cache, db
from django.contrib.sessions.serializers import JSONSerializer

from session_limit.store.copies import Copy, changed, copies, storable, values


class Array:
    """A value like an array of numpy, whose comparison has no truth value."""

    def __init__(self, *items):
        self.items = list(items)

    def __eq__(self, other):
        return Array(*(each in other.items for each in self.items))

    def __bool__(self):
        raise ValueError("The truth value of an array is ambiguous.")

    __hash__ = None


class Incomparable:
    """A value that can be stored, and that nothing can be compared with."""

    def __eq__(self, other):
        raise TypeError("Do not compare this value.")

    def __deepcopy__(self, memo):
        raise TypeError("Do not copy this value.")

    __hash__ = None


class Locked(Incomparable):
    """A value that cannot be stored either."""

    def __init__(self):
        self.lock = threading.Lock()


class Unreadable:
    """A value whose serialized form cannot be read again."""

    def __reduce__(self):
        return (int, ("not a number",))


@pytest.fixture(params=[db, cache])
def session(request):
    return request.param.SessionStore()


NESTED = {"items": ["tea", {"n": [1, 2]}], "none": None}
VALUES = [NESTED, Array(1, 2), Incomparable(), datetime(2026, 1, 1, tzinfo=UTC)]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_an_unchanged_value_has_not_changed(session, value):
    data = {"value": value}
    assert changed(data, copies(data, session), session) == {}


def test_a_nested_value_that_is_changed_in_place(session):
    data = {"basket": {"items": [["tea"]]}, "other": [1]}
    before = copies(data, session)
    data["basket"]["items"][0].clear()
    assert changed(data, before, session) == {"basket": {"items": [[]]}}
    assert values(before) == {"basket": {"items": [["tea"]]}, "other": [1]}


def test_an_array_that_is_changed_in_place(session):
    array = Array(1, 2)
    before = copies({"array": array}, session)
    array.items.append(3)
    [found] = changed({"array": array}, before, session).values()
    assert found.items == [1, 2, 3]
    assert before["array"].value().items == [1, 2]


def test_two_copies_share_nothing(session):
    copied = Copy(NESTED, session)
    copied.value()["items"].clear()
    assert copied.value() == NESTED


def test_a_new_value_and_a_value_of_another_type(session):
    before = copies({"n": 1}, session)
    assert changed({"n": "1", "new": 2}, before, session) == {"n": "1", "new": 2}


@pytest.mark.parametrize("make", [Locked, Unreadable])
def test_a_value_that_cannot_be_stored(session, make):
    """Fails if such a value stops a sign-in that the request may yet put right."""
    value = make()
    copied = copies({"value": value, "other": [1]}, session)
    assert values(copied)["other"] == [1]
    assert isinstance(values(copied)["value"], make)
    found = changed({"value": value, "other": [1]}, copied, session)
    assert "other" not in found


def test_a_cache_keeps_what_json_would_change():
    data = {"by number": {1: ("a", "b")}}
    assert values(copies(data, cache.SessionStore())) == data


def test_what_the_serializer_does_not_accept_is_left_out(session):
    data = {"at": datetime(2026, 1, 1, tzinfo=UTC), "n": 1}
    assert storable(data, session) == {"n": 1}


class Failing(JSONSerializer):
    """A serializer of a project, with errors of its own."""

    def dumps(self, obj):
        raise ZeroDivisionError


def test_a_serializer_that_fails(session, settings):
    settings.SESSION_SERIALIZER = f"{__name__}.Failing"
    session = type(session)()
    assert values(copies({"nested": NESTED}, session)) == {"nested": NESTED}
