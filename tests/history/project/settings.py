"""
Configure the project from environment variables, because the server processes differ.

- ``HISTORY_CLOCK``: the file with the offset of this process's clock.
- ``HISTORY_DATABASE``: ``DATABASES["default"]``, in JSON.
- ``HISTORY_BUS``: ``SESSION_LIMIT_BUS``, in JSON.
- ``HISTORY_LIMIT``, ``HISTORY_PLAYS``: the limits of sessions and of plays.
- ``HISTORY_BROKEN``: the name of a function in ``broken.py``, if a run uses one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.history.project import clock

# This comes first, because models read timezone.now when they are imported.
if "HISTORY_CLOCK" in os.environ:
    clock.set_by(Path(os.environ["HISTORY_CLOCK"]))

DATABASES = {"default": json.loads(os.environ["HISTORY_DATABASE"])}
SESSION_LIMIT_BUS = json.loads(os.environ["HISTORY_BUS"])
SESSION_LIMIT = int(os.environ["HISTORY_LIMIT"])
SESSION_LIMIT_PLAYS = int(os.environ["HISTORY_PLAYS"])

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "session_limit",
]
MIDDLEWARE = [
    # It sets Content-Length, so that a browser notices a response that was cut short.
    "django.middleware.common.CommonMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "session_limit.middleware.SessionLimitMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
ROOT_URLCONF = "tests.history.project.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
            ]
        },
    }
]
ALLOWED_HOSTS = ["*"]
SECRET_KEY = "only for the history checker, on a database that is deleted afterwards"
# A fast hasher, because the checker changes many passwords.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "static/"
USE_TZ = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {"django": {"handlers": [], "level": "ERROR", "propagate": True}},
}
