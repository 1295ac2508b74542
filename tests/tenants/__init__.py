"""
Test the package in projects in which each tenant has tables of its own.

There are two projects with the same tests: ``settings_schemas`` uses django-tenants,
and ``settings_routed`` has a database for each tenant, with a router.
"""

# Each is the first part of the tenant's host. Both have a user with the same id.
ONE, TWO = TENANTS = ["one", "two"]
