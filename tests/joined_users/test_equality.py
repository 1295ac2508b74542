"""The user who is read with the session equals the one that Django reads."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import django
import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, models
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from tests import stores
from tests.joined_users.conftest import fresh, is_comparable

# Text that all databases store. PostgreSQL refuses the character 0.
TEXT = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(TEXT, max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(TEXT, max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)
# MySQL stores years from 1000 on.
DAYS = {"min_value": dt.date(1000, 1, 2), "max_value": dt.date(9999, 12, 1)}
TIMES = {
    f"{name}_value": dt.datetime.combine(day, dt.time())
    for name, day in zip(["min", "max"], DAYS.values(), strict=True)
}
ZONES = st.sampled_from([ZoneInfo("UTC"), ZoneInfo("Asia/Kathmandu")])


def strategy(field):
    """Return a strategy for the values of a field."""
    strategies = {
        models.CharField: lambda: st.text(TEXT, max_size=field.max_length),
        models.TextField: lambda: st.text(TEXT, max_size=50),
        models.EmailField: st.emails,
        models.BooleanField: st.booleans,
        # MariaDB refuses some of the others.
        models.UUIDField: lambda: st.uuids(version=4),
        # None would be SQL's NULL.
        models.JSONField: lambda: JSON.filter(lambda value: value is not None),
        models.DecimalField: lambda: st.decimals(
            -(10**7), 10**7, places=field.decimal_places
        ),
        models.FloatField: lambda: st.floats(-1e9, 1e9),
        models.BigIntegerField: lambda: st.integers(-(2**63), 2**63 - 1),
        models.DateField: lambda: st.dates(**DAYS),
        models.TimeField: st.times,
        models.DateTimeField: lambda: st.datetimes(
            **TIMES, timezones=ZONES if settings.USE_TZ else st.none()
        ),
        models.DurationField: lambda: st.timedeltas(
            dt.timedelta(days=-9999), dt.timedelta(days=9999)
        ),
        models.BinaryField: lambda: st.binary(max_size=50),
        models.GenericIPAddressField: lambda: st.ip_addresses().map(str),
        models.ForeignKey: st.none,
    }
    kind = next(base for base in type(field).__mro__ if base in strategies)
    values = strategies[kind]()
    if type(field).__name__ == "WordsField":
        values = st.lists(st.text("abcdé", min_size=1), max_size=4)
    return values | st.none() if field.null else values


def changes():
    """Return a strategy for values of every field that leaves ada signed in."""
    kept = {"password", "is_active", get_user_model().USERNAME_FIELD}
    return st.fixed_dictionaries(
        {
            field.name: strategy(field)
            for field in get_user_model()._meta.concrete_fields
            if not (field.primary_key or field.generated or field.name in kept)
        }
    )


def everything(user):
    """Return all that can be observed of a model instance, with the types of values."""
    values = {name: value for name, value in vars(user).items() if name != "_state"}
    return (
        type(user),
        [(name, type(value), repr(value)) for name, value in values.items()],
        type(user._state),
        {name: repr(value) for name, value in vars(user._state).items()},
        user.get_deferred_fields(),
    )


def read(request):
    assert request.user.pk
    return request.user._wrapped


async def aread(request):
    return await request.auser()


@pytest.mark.parametrize("view", [read, aread])
def test_a_user_who_has_signed_in(ada, visit, view):
    assert everything(visit(view)) == everything(fresh(ada))


@pytest.mark.parametrize("view", [read, aread])
def test_every_field_equals_the_one_that_django_reads(ada, visit, view):
    @hypothesis(
        max_examples=25,
        deadline=None,
        derandomize=True,
        database=None,
        # To shrink an example takes minutes of requests.
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(changes())
    def examine(values):
        get_user_model()._base_manager.filter(pk=ada.pk).update(**values)
        user = visit(view)
        assert everything(user) == everything(fresh(ada))
        if is_comparable():
            assert len(visit.statements) == stores.STATEMENTS

    examine()


@pytest.mark.parametrize("view", [read, aread])
def test_a_related_user_is_read_when_it_is_asked_for(ada, bob, visit, view):
    if "patron" not in vars(get_user_model()):
        pytest.skip("needs the user model of tests/joined_users")
    ada.patron = bob
    ada.save()
    user = visit(view)
    assert "patron" not in user._state.fields_cache
    assert user.patron == bob


@pytest.mark.parametrize("view", [read, aread])
def test_the_user_can_be_changed_and_saved(ada, visit, view):
    def change(request):
        user = read(request)
        user.is_active = False
        user.save(update_fields=["is_active"])

    async def achange(request):
        user = await aread(request)
        user.is_active = False
        await sync_to_async(user.save)(update_fields=["is_active"])

    visit(change if view is read else achange)
    assert not fresh(ada).is_active


@pytest.mark.skipif(django.VERSION < (6, 1), reason="needs the fetch modes of 6.1")
def test_the_fetch_mode_is_that_of_djangos_querysets(ada, visit):
    user = visit(read)
    assert user._state.fetch_mode is fresh(ada)._state.fetch_mode


def test_the_user_is_of_the_database_that_was_read(ada, visit):
    user = visit(read)
    assert user._state.db == connection.alias
    assert not user._state.adding
