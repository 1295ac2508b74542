"""Settings of a project whose user model has fields of many kinds."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

INSTALLED_APPS = [name for name in INSTALLED_APPS if name != "tests.users"]
INSTALLED_APPS = [*INSTALLED_APPS, "tests.joined_users"]
AUTH_USER_MODEL = "joined_users.Member"
USE_TZ = os.environ.get("SESSION_LIMIT_TEST_USE_TZ", "1") == "1"
