"""
Settings from environment variables, which all server processes share:

- ``CAP_ENGINE``, ``CAP_NAME``: the database's backend (``postgresql``, ``mysql`` or
  ``sqlite3``) and its name; ``CAP_HOST``, ``CAP_PORT``, ``CAP_USER``, ``CAP_PASSWORD``.
- ``CAP_ISOLATION``: an isolation level or, for SQLite, ``deferred`` or ``immediate``.
- ``CAP_INIT_COMMAND``: what MariaDB executes at the beginning of each connection.
- ``CAP_ATOMIC_REQUESTS``: ``1`` or ``0``.
- ``CAP_LAST_LOGIN``: ``0`` stops Django's receiver that writes ``last_login``.
- ``CAP_PACKAGE``: ``session_limit`` or ``recipe``.
- ``SESSION_LIMIT``, ``SESSION_LIMIT_AT_LIMIT`` and, for a site with plays,
  ``SESSION_LIMIT_PLAYS``, ``SESSION_LIMIT_PLAYS_AT_LIMIT``: the package's settings.
"""

from __future__ import annotations

import os
from typing import Any

ENGINE = os.environ["CAP_ENGINE"]
ISOLATION = os.environ["CAP_ISOLATION"]
PACKAGE = os.environ["CAP_PACKAGE"]

OPTIONS: dict[str, Any]
if ENGINE == "sqlite3":
    # Twenty seconds, as a production project would set it. With the default of five,
    # fifty queued writers pass or fail by the disk's speed.
    OPTIONS = {"timeout": 20, "transaction_mode": ISOLATION.upper()}
elif ENGINE == "postgresql":
    from psycopg import IsolationLevel

    OPTIONS = {"isolation_level": IsolationLevel[ISOLATION.upper().replace(" ", "_")]}
else:
    OPTIONS = {"isolation_level": ISOLATION}
    if "CAP_INIT_COMMAND" in os.environ:
        OPTIONS["init_command"] = os.environ["CAP_INIT_COMMAND"]

DATABASES = {
    "default": {
        "ENGINE": f"django.db.backends.{ENGINE}",
        "NAME": os.environ["CAP_NAME"],
        "HOST": os.environ.get("CAP_HOST", ""),
        "PORT": os.environ.get("CAP_PORT", ""),
        "USER": os.environ.get("CAP_USER", ""),
        "PASSWORD": os.environ.get("CAP_PASSWORD", ""),
        "ATOMIC_REQUESTS": os.environ["CAP_ATOMIC_REQUESTS"] == "1",
        "OPTIONS": OPTIONS,
    }
}

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "tests.cap.project",
    {"session_limit": "session_limit", "recipe": "tests.cap.recipe"}[PACKAGE],
]
MIDDLEWARE = [
    "tests.cap.project.middleware.Stamp",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
if PACKAGE == "session_limit":
    MIDDLEWARE.insert(2, "session_limit.middleware.SessionLimitMiddleware")
else:
    MIDDLEWARE.append("tests.cap.recipe.middleware.OneSessionPerUserMiddleware")
SESSION_LIMIT = int(os.environ["SESSION_LIMIT"])
if "SESSION_LIMIT_PLAYS" in os.environ:
    SESSION_LIMIT_PLAYS = int(os.environ["SESSION_LIMIT_PLAYS"])
    SESSION_LIMIT_PLAYS_AT_LIMIT = os.environ["SESSION_LIMIT_PLAYS_AT_LIMIT"]
SESSION_LIMIT_AT_LIMIT = os.environ["SESSION_LIMIT_AT_LIMIT"]

ROOT_URLCONF = "tests.cap.project.urls"
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
ALLOWED_HOSTS = ["127.0.0.1"]
SECRET_KEY = "only for measuring the cap, on a database that is dropped afterwards"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "static/"
USE_TZ = True

# The harness reads the servers' standard error. Log errors there for the judge, but not
# the expected answers with status 401 or 403.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": "ERROR"},
    "loggers": {"django": {"handlers": [], "level": "ERROR", "propagate": True}},
}
