"""
Report mistakes in a project's setup of the package, by Django's system checks.

Only ``check_servers`` connects to a database, and it runs when Django allows that. The
other checks only read settings. ``docs/reference/checks.md`` describes each id.
"""

from __future__ import annotations

from django.core import checks

from session_limit.checks import databases, installation, settings

# Selects these checks, as in "manage.py check --tag session_limit".
TAG = "session_limit"


def register_checks() -> None:
    """Register every check with Django."""
    checks.register(settings.check_settings, TAG)
    checks.register(settings.check_durations, TAG)
    checks.register(installation.check_middleware, TAG)
    checks.register(installation.check_apps, TAG)
    # Without Django's tag for databases, which is for checks that connect to one.
    checks.register(databases.check_databases, TAG)
    checks.register(databases.check_stalls, TAG, deploy=True)
    checks.register(databases.check_servers, TAG, checks.Tags.database)
    checks.register(installation.check_urls, TAG, checks.Tags.urls)
    checks.register(installation.check_reauthentication, TAG)
