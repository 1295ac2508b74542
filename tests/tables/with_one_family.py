"""Proxies, children and parents of the user model are saved and deleted."""

from __future__ import annotations

import pytest
from django.db import models
from django.test.utils import isolate_apps

from session_limit.models import UserSession
from tests import stores
from tests.stories.people import JSON, live, reasons
from tests.tables.models import (
    Contractor,
    Employee,
    Person,
    PersonProxy,
    Teacher,
    Visitor,
)

PASSWORD = "correct horse"
Reason = UserSession.Reason
FAMILY = [Employee, Teacher, Contractor, Person, PersonProxy]


@pytest.fixture
def ada(laptop):
    """Sign ada in, whose keys as contractor and as employee differ."""
    Employee.objects.create_user("zoe", PASSWORD)
    ada = Contractor.objects.create_user("ada", PASSWORD)
    employee = Employee.objects.get(name="ada")
    assert employee.pk != ada.pk
    laptop.sign_in("ada")
    assert live(employee)
    return employee


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize("model", FAMILY)
def test_disabling(model):
    user = model.objects.get(name="ada")
    user.is_active = False
    user.save()
    assert reasons() == [Reason.ACCOUNT_DISABLED]


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize("model", FAMILY)
def test_a_new_password(model, laptop):
    user = model.objects.get(name="ada")
    user.set_password("new")
    user.save()
    assert laptop.open(**JSON).json()["reason"] == Reason.PASSWORD_CHANGED


@pytest.mark.parametrize("model", FAMILY)
def test_deleting(ada, model, laptop):
    """Fails if the stored session outlives its user."""
    cookie = laptop.cookie
    model.objects.get(name="ada").delete()
    assert live() == []
    assert laptop.open().status_code in {401, 403}
    if not stores.is_cookie():
        assert not stores.read(cookie)


@pytest.mark.parametrize("model", FAMILY)
def test_deleting_through_a_queryset(ada, model, laptop):
    cookie = laptop.cookie
    model.objects.filter(name="ada").delete()
    if not stores.is_cookie():
        assert not stores.read(cookie)


def test_a_person_who_is_no_user(ada):
    """Fails if the primary key of a visitor is taken for that of an employee."""
    visitor = Visitor.objects.create_user("vic", PASSWORD, pk=9999)
    visitor.is_active = False
    visitor.set_password("new")
    visitor.save()
    visitor.delete()
    assert len(live(ada)) == 1


@isolate_apps("tests.tables")
def test_a_proxy_that_is_defined_late(ada):
    class Late(Employee):
        class Meta:
            proxy = True

        objects = models.Manager()

    user = Late.objects.get(name="ada")
    user.is_active = False
    user.save()
    assert reasons() == [Reason.ACCOUNT_DISABLED]
