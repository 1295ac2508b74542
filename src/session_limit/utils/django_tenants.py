"""
Select the schema of django-tenants for queries that are not made by a request.

In a request, a middleware of django-tenants selects the schema. These functions let
code without that middleware select the same schema. If the app ``django_tenants`` is
not installed, there are no tenants.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any, cast

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import get_urlconf, set_urlconf
from django.utils.module_loading import import_string


def is_installed() -> bool:
    """Return whether the project uses django-tenants."""
    return apps.is_installed("django_tenants")


def tenant_of(request: HttpRequest) -> Hashable:
    """
    Return the tenant that the project's own middleware selects for a ``request``.

    The result is an instance of the project's tenant model, or the name of a schema.
    The schema of the current thread's connection does not change. Raises ``Http404``
    for a request without a tenant, and ``ImproperlyConfigured`` if ``MIDDLEWARE``
    contains no middleware of django-tenants.
    """
    alias = import_module("django_tenants.utils").get_tenant_database_alias()
    connection: Any = connections[alias]
    tenant_before, urlconf_before = connection.tenant, get_urlconf()
    try:
        if _middleware().process_request(request) is not None:
            raise Http404("The request has no tenant.")
        tenant = connection.tenant
    finally:
        connection.set_tenant(tenant_before)
        set_urlconf(urlconf_before)
    # Outside of tenants, django-tenants makes a new object for each request.
    return cast("Hashable", tenant if isinstance(tenant, Model) else tenant.schema_name)


def in_tenant(tenant: Hashable) -> AbstractContextManager[None]:
    """Return a context manager that selects the schema of ``tenant``."""
    name = "tenant_context" if isinstance(tenant, Model) else "schema_context"
    context = getattr(import_module("django_tenants.utils"), name)
    return cast("AbstractContextManager[None]", context(tenant))


def is_middleware(middleware: object) -> bool:
    """Return whether ``middleware`` is a class that selects the tenant of a request."""
    base = import_module("django_tenants.middleware").TenantMainMiddleware
    return isinstance(middleware, type) and issubclass(middleware, base)


@functools.cache
def _middleware() -> Any:
    """Return an instance of the project's middleware that selects the tenant."""
    for middleware in map(import_string, settings.MIDDLEWARE):
        if is_middleware(middleware):
            return middleware(lambda _request: HttpResponse())
    raise ImproperlyConfigured(
        "MIDDLEWARE contains no middleware of django-tenants, so that SessionGuard "
        "cannot select the tenant of a connection. Override Rules.tenant() and "
        "Rules.in_tenant() in the class that SESSION_LIMIT_RULES names."
    )
