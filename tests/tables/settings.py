"""Settings of a project with employees in the user model, and customers elsewhere."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, TEMPLATES

AUTH_USER_MODEL = "tables.Employee"
INSTALLED_APPS = [
    name
    for name in INSTALLED_APPS
    if name not in {"django.contrib.admin", "tests.users"}
]
INSTALLED_APPS = [*INSTALLED_APPS, "tests.tables"]
TEMPLATES = [{**TEMPLATES[0], "APP_DIRS": True}]
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "tests.tables.backends.CustomerBackend",
]
ROOT_URLCONF = "tests.tables.urls"
