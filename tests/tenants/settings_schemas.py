"""Settings of a project in which django-tenants gives each tenant a schema."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, MIDDLEWARE, SERVERS

DATABASES = {
    "default": {
        **SERVERS["postgresql"],
        "ENGINE": "django_tenants.postgresql_backend",
    }
}
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
TENANT_APPS = INSTALLED_APPS
# The public schema has users and sessions of its own.
SHARED_APPS = ["django_tenants", "tests.tenants.customers", *TENANT_APPS]
INSTALLED_APPS = SHARED_APPS
TENANT_MODEL = "customers.Customer"
TENANT_DOMAIN_MODEL = "customers.Domain"
MIDDLEWARE = ["django_tenants.middleware.TenantMainMiddleware", *MIDDLEWARE]
ROOT_URLCONF = "tests.tenants.urls"
