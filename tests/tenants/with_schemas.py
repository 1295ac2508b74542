"""What only a project with django-tenants needs: checks, and the public schema."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.http import Http404
from django.test import RequestFactory

from session_limit.checks.tenants import check_tenants
from session_limit.utils import django_tenants
from session_limit.utils.missing_tables import NOTE, TENANTS_NOTE
from tests.asgi.test_sockets import story
from tests.asgi.wire import ENDED
from tests.stories.people import make_user
from tests.tenants import ONE
from tests.tenants.projects import host, in_tenant
from tests.tenants.routing import RoutedRules
from tests.tenants.with_tenants import end_all, socket, watched

pytest_plugins = ["tests.tenants.fixtures"]
pytestmark = pytest.mark.django_db(transaction=True)

MIDDLEWARE = "django_tenants.middleware.TenantMainMiddleware"
PUBLIC = "public"


def ids():
    return [message.id.removeprefix("session_limit.") for message in check_tenants()]


def request_to(name):
    return RequestFactory().get("/", headers={"Host": host(name)})


@pytest.fixture
def without_middleware(settings):
    settings.MIDDLEWARE = [
        path for path in settings.MIDDLEWARE if "django_tenants" not in path
    ]
    django_tenants._middleware.cache_clear()
    yield
    django_tenants._middleware.cache_clear()


def test_a_project_that_is_set_up_well_hears_nothing():
    assert ids() == []


@pytest.mark.parametrize("entry", ["session_limit", "session_limit.apps.Config"])
def test_tenants_with_users_but_without_the_package(settings, entry):
    settings.TENANT_APPS = ["django.contrib.auth.apps.AuthConfig"]
    assert ids() == ["E317"]
    settings.TENANT_APPS = [*settings.TENANT_APPS, entry]
    assert ids() == []


def test_a_type_of_tenants_without_the_package(settings):
    auth = ["django.contrib.auth"]
    settings.TENANT_TYPES = {
        "public": {"APPS": auth},
        "shop": {"APPS": [*auth, "session_limit"]},
        "blog": {"APPS": auth},
        "wiki": {"APPS": []},
    }
    [message] = check_tenants()
    assert message.id == "session_limit.E317"
    assert 'TENANT_TYPES["blog"]["APPS"]' in message.msg


def test_a_project_without_the_middleware_is_told(without_middleware, settings):
    assert ids() == ["W318"]
    with pytest.raises(ImproperlyConfigured, match=r"Rules\.tenant"):
        django_tenants.tenant_of(request_to(ONE))
    settings.SESSION_LIMIT_RULES = f"{RoutedRules.__module__}.RoutedRules"
    assert ids() == []


def test_a_command_outside_of_the_tenants_is_told_how_to_run_in_them():
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA IF NOT EXISTS empty")
    with in_tenant("empty"):
        connection.include_public_schema = False
        with pytest.raises(DatabaseError) as raised:
            call_command("prunesessions", verbosity=0)
    assert raised.value.__notes__ == [NOTE, TENANTS_NOTE]


def test_the_tenant_is_that_of_the_projects_middleware():
    tenant = django_tenants.tenant_of(request_to(ONE))
    assert tenant.schema_name == ONE
    assert django_tenants.tenant_of(request_to(ONE)) == tenant
    with pytest.raises(Http404):
        django_tenants.tenant_of(request_to("elsewhere"))
    assert connection.schema_name == PUBLIC


def test_a_host_of_no_tenant_may_be_the_public_schemas(settings):
    settings.SHOW_PUBLIC_IF_NO_TENANT_FOUND = True
    tenants = [django_tenants.tenant_of(request_to("elsewhere")) for _ in range(2)]
    assert tenants == [PUBLIC, PUBLIC]


def test_the_public_schema_has_sessions_of_its_own(
    browser,
    told_by,
    settings,
):
    """Its user has the same id as the user of a tenant."""
    settings.SHOW_PUBLIC_IF_NO_TENANT_FOUND = True
    # The suite deletes the rows of the public schema after each test.
    make_user("ada", pk=1)
    one, public = browser(ONE), browser("elsewhere")

    @story
    async def _():
        async with socket(one) as first, socket(public) as second:
            await first.accepted()
            await second.accepted()
            await watched(2)
            await sync_to_async(end_all)(PUBLIC)
            assert await second.closed() == (ENDED, "revoked")
            assert await first.is_quiet()
