"""Fixtures of the projects with tenants, loaded by their modules as a plugin."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.db import connection

from session_limit.models import AccountLimit, Play, UserSession
from session_limit.testing import LAPTOP
from tests.asgi.tellers import swept, told_by  # noqa: F401 fixtures
from tests.stories.people import Visitor, make_user
from tests.tenants import TENANTS
from tests.tenants.projects import HAS_SCHEMAS, host, in_tenant


@pytest.fixture(scope="session", autouse=HAS_SCHEMAS)
def schemas(django_db_setup, django_db_blocker):
    """Create the tenants of django-tenants, with their schemas."""
    customer = apps.get_model("customers", "Customer") if HAS_SCHEMAS else None
    with django_db_blocker.unblock():
        for name in TENANTS:
            tenant = customer(schema_name=name, name=name)
            tenant.save(verbosity=0)
            tenant.domains.create(domain=host(name))


@pytest.fixture(autouse=True)
def people(transactional_db):
    """Create a user with the same id in each tenant, and delete all rows afterwards."""
    for name in TENANTS:
        with in_tenant(name):
            make_user("ada", pk=1)
    yield
    for name in TENANTS:
        with in_tenant(name):
            for model in (Play, UserSession, AccountLimit, Session, get_user_model()):
                model._base_manager.all()._raw_delete(model.objects.db)
    if HAS_SCHEMAS:
        # A request leaves its schema behind in the thread's connection.
        connection.set_schema_to_public()


@pytest.fixture
def browser():
    """Return a function that opens a browser at the host of a tenant, signed in."""

    def browser(name, user_agent=LAPTOP):
        visitor = Visitor(user_agent, headers={"Host": host(name)})
        visitor.tenant = name
        assert visitor.sign_in(path="/login/").status_code == 302
        return visitor

    return browser
