"""Helpers of the tests of projects with tenants."""

from __future__ import annotations

from django.apps import apps

from session_limit.rules import get_rules

HAS_SCHEMAS = apps.is_installed("django_tenants")


def in_tenant(name):
    return get_rules().in_tenant(name)


def host(name):
    return f"{name}.test"
