"""Breakages of what reads in the tables of a client's tenant."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

TESTS = "tenants/test_tenants"
ROUTED = "test_tenants_with_a_database_each"

MUTANTS = [
    Mutant(
        "the hub reads what has ended in no tenant's tables",
        "asgi/hub.py::Hub._read",
        old="tenants.run_in, tenant, connected.standings, ids",
        new="connected.standings, ids",
        tests=TESTS,
        test=ROUTED,
    ),
    Mutant(
        "the sweep reads no tenant's tables",
        "asgi/hub.py::Hub._sweep_tenant",
        old="tenants.run_in, tenant, sweeper.read",
        new="sweeper.read",
        tests=TESTS,
        test=ROUTED,
    ),
    Mutant(
        "an ending is recorded in no tenant's tables",
        "asgi/hub.py::Hub._record",
        old="tenants.run_in, tenant, record",
        new="record",
        tests=TESTS,
        test=ROUTED,
    ),
    Mutant(
        "a client is identified in no tenant's tables",
        "store/identification.py::identify",
        old="tenants.run_in(tenant, _identify, request, key)",
        new="_identify(request, key)",
        tests=TESTS,
        test=ROUTED,
    ),
    Mutant(
        "the gateway asks no tenant's tables",
        "gateway.py::judge",
        old="return tenants.run_in(tenant, _judge, question, request)",
        new="return _judge(question, request)",
        tests=TESTS,
        test=ROUTED,
    ),
    Mutant(
        "a stream of Django's handler has no tenant",
        "asgi/streaming.py::_Response._identify",
        old="tenant = await self.hub.find_tenant(self.scope)",
        new="tenant = None",
        tests=TESTS,
        test=ROUTED,
    ),
    Mutant(
        "a host without a tenant is an error",
        "store/identification.py::identify",
        old="except tenants.NO_TENANT:",
        new="except ZeroDivisionError:",
        tests=TESTS,
        test=ROUTED,
    ),
    Mutant(
        "a tenant that cannot be read holds the others up",
        "asgi/hub.py::Hub._verify",
        old="loop.call_later(SWEEP, self._read_soon, waiting, group)",
        new="waiting |= {*group}",
        tests=TESTS,
        test=ROUTED,
    ),
    Mutant(
        "the gateway leaves its tenant behind in the thread",
        "utils/django_tenants.py::tenant_of",
        old="connection.set_tenant(tenant_before)",
        new="pass",
        tests=TESTS,
        test="test_tenants_with_a_schema_each",
    ),
]
