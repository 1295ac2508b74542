"""
System checks that report mistakes in a project's configuration of the package.

Only ``check_servers`` and ``check_pruning`` connect to a database, and only if Django
allows the connection. The other checks read settings, URLs and templates.
``docs/reference/checks.md`` describes each check.
"""

from __future__ import annotations

from django.core import checks

from session_limit.checks import (
    addresses,
    admin_site,
    databases,
    deployment,
    installation,
    middleware,
    pruning,
    routers,
    rules,
    session_storage,
    settings,
    templates,
    tenants,
    users,
)

# The command "manage.py check --tag session_limit" runs only these checks.
TAG = "session_limit"


def register_checks() -> None:
    """Register the package's system checks with Django."""
    for check in (
        settings.check_settings,
        settings.check_names,
        settings.check_durations,
        rules.check_rules,
        rules.check_without_effect,
        middleware.check_middleware,
        installation.check_apps,
        installation.check_reauthentication,
        users.check_users,
        session_storage.check_engine,
        session_storage.check_cookies,
        routers.check_routers,
        tenants.check_tenants,
        # It reads only settings. Django's tag "database" is for checks that connect.
        databases.check_databases,
    ):
        checks.register(check, TAG)
    for check in (
        addresses.check_urls,
        addresses.check_sign_in_page,
        addresses.check_links,
        session_storage.check_cookie_path,
        admin_site.check_admin_site,
    ):
        checks.register(check, TAG, checks.Tags.urls)
    checks.register(templates.check_templates, TAG, checks.Tags.templates)
    for check in (databases.check_servers, pruning.check_pruning):
        checks.register(check, TAG, checks.Tags.database)
    for check in (
        databases.check_stalls,
        deployment.check_guard,
        session_storage.check_processes,
        session_storage.check_cookie_flags,
    ):
        checks.register(check, TAG, deploy=True)
