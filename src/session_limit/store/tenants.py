"""
Run queries that are not made by a request in the tenant of the client they serve.

A tenant is a customer of the project with tables or a database of its own. In a
request, the project's middleware selects the tenant. ``SessionGuard`` and
``SessionGateway`` run in front of that middleware, and ask the project's ``Rules``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import ParamSpec, TypeVar

from django.core.exceptions import DisallowedHost
from django.http import Http404, HttpRequest

from session_limit.rules import Rules, get_rules
from session_limit.utils import django_tenants

P = ParamSpec("P")
T = TypeVar("T")


# What ``tenant_of()`` raises if the project serves no such request.
NO_TENANT = Http404, DisallowedHost


def are_used() -> bool:
    """Return whether requests may have a tenant."""
    is_overridden = type(get_rules()).tenant is not Rules.tenant
    return is_overridden or django_tenants.is_installed()


def tenant_of(request: HttpRequest) -> Hashable | None:
    """
    Return the tenant of a ``request`` that has not passed through any middleware.

    Return ``None`` if the request has no tenant of its own. Raises one of ``NO_TENANT``
    if the project serves no such request. This function may read the database.
    """
    return get_rules().tenant(request)


def run_in(
    tenant: Hashable | None,
    function: Callable[P, T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Call ``function`` with queries that reach the tables of ``tenant``."""
    if tenant is None:
        return function(*args, **kwargs)
    with get_rules().in_tenant(tenant):
        return function(*args, **kwargs)
