"""Give each tenant a database of its own, which the host of the request selects."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar

from django.http import Http404

from session_limit.rules import Rules, get_rules
from tests.tenants import TENANTS

_current = ContextVar("tenant", default="default")


class Router:
    def db_for_read(self, model, **hints):
        return _current.get()

    db_for_write = db_for_read


class RoutedRules(Rules):
    def tenant(self, request):
        name = request.get_host().partition(".")[0]
        if name not in TENANTS:
            raise Http404
        return name

    @contextmanager
    def in_tenant(self, tenant):
        token = _current.set(tenant)
        try:
            yield
        finally:
            _current.reset(token)


class TenantMiddleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        rules = get_rules()
        with rules.in_tenant(rules.tenant(request)):
            return self.get_response(request)
