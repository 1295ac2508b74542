"""
Report mistakes in a project's setup of the package before it runs.

All checks but ``check_servers`` read settings alone. That one connects to the database,
and so runs when Django lets checks do that. Each id has its entry in
``docs/reference/checks.md``.
"""

from __future__ import annotations

from django.core import checks

from session_limit.checks.databases import check_databases, check_servers
from session_limit.checks.durations import check_durations
from session_limit.checks.installation import (
    check_apps,
    check_middleware,
    check_reauthentication,
    check_urls,
)
from session_limit.checks.settings import check_settings
from session_limit.checks.stalls import check_stalls

__all__ = [
    "TAG",
    "check_apps",
    "check_databases",
    "check_durations",
    "check_middleware",
    "check_reauthentication",
    "check_servers",
    "check_settings",
    "check_stalls",
    "check_urls",
    "register_checks",
]

# manage.py check --tag session_limit
TAG = "session_limit"


def register_checks() -> None:
    """Register every check with Django."""
    checks.register(check_settings, TAG)
    checks.register(check_durations, TAG)
    checks.register(check_middleware, TAG)
    checks.register(check_apps, TAG)
    # Not under Django's tag for databases, which is for checks that may connect.
    checks.register(check_databases, TAG)
    checks.register(check_stalls, TAG, deploy=True)
    checks.register(check_servers, TAG, checks.Tags.database)
    checks.register(check_urls, TAG, checks.Tags.urls)
    checks.register(check_reauthentication, TAG)
