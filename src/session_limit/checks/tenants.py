"""System checks for projects that use django-tenants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import checks

from session_limit.checks.classes import imported, rules_class
from session_limit.rules import Rules
from session_limit.utils import django_tenants


def check_tenants(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """
    Check that tenants have tables of the package, and that a request's tenant is known.

    The check does nothing if the project does not use django-tenants.
    """
    if not django_tenants.is_installed():
        return
    users = apps.get_app_config(get_user_model()._meta.app_label).name
    for name, listed in _tenant_apps():
        if _contains(listed, users) and not _contains(listed, "session_limit"):
            yield checks.Error(
                f'{name} contains "{users}", whose users each tenant has for itself, '
                'but not "session_limit". Users of two tenants with the same primary '
                "key would count as one account, and most sign-ins would fail.",
                hint=f'Add "session_limit" to {name}, and run migrate_schemas.',
                id="session_limit.E317",
            )
    if rules_class().tenant is not Rules.tenant:
        return
    if not any(map(django_tenants.is_middleware, map(imported, settings.MIDDLEWARE))):
        yield checks.Warning(
            "MIDDLEWARE contains no middleware of django-tenants. SessionGuard and "
            "SessionGateway cannot find the tenant of a request, and refuse WebSockets "
            "and questions of a reverse proxy.",
            hint="Override tenant() and in_tenant() in the class that "
            "SESSION_LIMIT_RULES names, or add "
            "django_tenants.middleware.TenantMainMiddleware.",
            id="session_limit.W318",
        )


def _tenant_apps() -> Iterator[tuple[str, Iterable[str]]]:
    """Yield the lists of apps with tables in each tenant's schema, by their names."""
    types = getattr(settings, "TENANT_TYPES", None)
    if not isinstance(types, Mapping):
        yield "TENANT_APPS", getattr(settings, "TENANT_APPS", ())
        return
    public = getattr(settings, "PUBLIC_SCHEMA_NAME", "public")
    for name, options in types.items():
        if name != public:
            yield f'TENANT_TYPES["{name}"]["APPS"]', options.get("APPS", ())


def _contains(listed: Iterable[str], app: str) -> bool:
    # An entry may also be the path of the app's AppConfig.
    return any(entry == app or entry.startswith(f"{app}.apps.") for entry in listed)
