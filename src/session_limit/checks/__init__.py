"""
System checks that report mistakes in a project's configuration of the package.

Only ``check_servers`` connects to a database, and only if Django allows the connection.
The other checks read settings. ``docs/reference/checks.md`` describes each check.
"""

from __future__ import annotations

from django.core import checks

from session_limit.checks import databases, installation, settings, users

# The command "manage.py check --tag session_limit" runs only these checks.
TAG = "session_limit"


def register_checks() -> None:
    """Register the package's system checks with Django."""
    checks.register(settings.check_settings, TAG)
    checks.register(settings.check_durations, TAG)
    checks.register(installation.check_middleware, TAG)
    checks.register(installation.check_apps, TAG)
    checks.register(users.check_users, TAG)
    # These two read only settings. Django's tag "database" is for checks that connect.
    checks.register(databases.check_databases, TAG)
    checks.register(databases.check_stalls, TAG, deploy=True)
    checks.register(databases.check_servers, TAG, checks.Tags.database)
    checks.register(installation.check_urls, TAG, checks.Tags.urls)
    checks.register(installation.check_reauthentication, TAG)
