"""Settings of a project in which a router gives each tenant a database."""

from tests.settings import *  # noqa: F403
from tests.settings import MIDDLEWARE, RUN_DIRECTORY, SQLITE
from tests.tenants import TENANTS

_FILES = {name: RUN_DIRECTORY / f"{name}.sqlite3" for name in ["default", *TENANTS]}
# No tenant uses the database "default", and nothing is stored in it.
DATABASES = {
    name: {**SQLITE, "NAME": file, "TEST": {"NAME": file}}
    for name, file in _FILES.items()
}
DATABASE_ROUTERS = ["tests.tenants.routing.Router"]
SESSION_LIMIT_RULES = "tests.tenants.routing.RoutedRules"
MIDDLEWARE = ["tests.tenants.routing.TenantMiddleware", *MIDDLEWARE]
ROOT_URLCONF = "tests.tenants.urls"
