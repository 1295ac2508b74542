"""Helpers of the tests of projects with tenants."""

from __future__ import annotations

from django.apps import apps

from session_limit.asgi import hub
from session_limit.rules import get_rules

HAS_SCHEMAS = apps.is_installed("django_tenants")


def in_tenant(name):
    return get_rules().in_tenant(name)


def host(name):
    return f"{name}.test"


def sweep_alone(monkeypatch):
    monkeypatch.setattr(hub, "SWEEP", 0.05)
    monkeypatch.setattr("session_limit.bus.publish", lambda ids: None)
