"""
Report mistakes in a project's setup of the package, by Django's system checks.

Only ``check_servers`` connects to a database, and it runs when Django allows that. The
other checks only read settings. ``docs/reference/checks.md`` describes each id.
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

# Selects these checks, as in "manage.py check --tag session_limit".
TAG = "session_limit"


def register_checks() -> None:
    """Register every check with Django."""
    checks.register(check_settings, TAG)
    checks.register(check_durations, TAG)
    checks.register(check_middleware, TAG)
    checks.register(check_apps, TAG)
    # Without Django's tag for databases, which is for checks that connect to one.
    checks.register(check_databases, TAG)
    checks.register(check_stalls, TAG, deploy=True)
    checks.register(check_servers, TAG, checks.Tags.database)
    checks.register(check_urls, TAG, checks.Tags.urls)
    checks.register(check_reauthentication, TAG)
