"""Settings of a project in which a proxy names the user, with its own database."""

import os

from tests.settings import *  # noqa: F403 the suite's project, but for a few

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["REMOTE_DATABASE"],
        "OPTIONS": {"timeout": 20, "init_command": "PRAGMA synchronous = OFF"},
    }
}
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.RemoteUserBackend"]
MIDDLEWARE.append("tests.servers.remote_user.FromHeader")  # noqa: F405
SESSION_LIMIT_RULES = "tests.servers.remote_user.ByName"
ROOT_URLCONF = "tests.stories.urls"
