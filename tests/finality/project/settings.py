"""
The stock project that every contender runs in, served by several processes.

These variables of the environment configure it:

- ``FINALITY_CONTENDER``, ``FINALITY_ENGINE``: the names of the contender and of the
  engine.
- ``FINALITY_DIRECTORY``: a directory for files, with memcached's socket.
- ``FINALITY_SECRET_KEYS``: the secret key and its fallbacks, separated by commas.
- ``FINALITY_SAVE_EVERY_REQUEST``, ``FINALITY_ATOMIC_REQUESTS``: ``1`` or ``0``.
- ``REDIS_URL``: the Redis server and its database.
- ``CAP_ENGINE``, ``CAP_NAME``, ``CAP_HOST``, ``CAP_PORT``, ``CAP_USER``,
  ``CAP_PASSWORD``: the database that ``tests.cap.databases`` made.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from benchmarks.contenders import BY_NAME
from benchmarks.project import settings as stock
from tests.finality.engines import ENGINES

CONTENDER = BY_NAME[os.environ["FINALITY_CONTENDER"]]
ENGINE = ENGINES[os.environ["FINALITY_ENGINE"]]
DIRECTORY = Path(os.environ["FINALITY_DIRECTORY"])

DATABASE = os.environ["CAP_ENGINE"]
# Connections are kept. A pool, if there is one, does not hold more than are used.
IS_POOLED = DATABASE == "postgresql" and find_spec("psycopg_pool") is not None
# The package's checks require immediate transactions on SQLite with ATOMIC_REQUESTS.
SQLITE = {"timeout": 20, "transaction_mode": "IMMEDIATE"}
OPTIONS = {
    "sqlite3": SQLITE,
    "postgresql": {"pool": {"min_size": 2, "max_size": 20}} if IS_POOLED else {},
}
DATABASES = {
    "default": {
        "ENGINE": f"django.db.backends.{DATABASE}",
        "NAME": os.environ["CAP_NAME"],
        "HOST": os.environ.get("CAP_HOST", ""),
        "PORT": os.environ.get("CAP_PORT", ""),
        "USER": os.environ.get("CAP_USER", ""),
        "PASSWORD": os.environ.get("CAP_PASSWORD", ""),
        "ATOMIC_REQUESTS": os.environ["FINALITY_ATOMIC_REQUESTS"] == "1",
        "CONN_MAX_AGE": 0 if IS_POOLED else 60,
        "OPTIONS": OPTIONS.get(DATABASE, {}),
    }
}
REDIS = {
    "BACKEND": "django.core.cache.backends.redis.RedisCache",
    "LOCATION": os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"),
    # Two runs at a time must not share entries.
    "KEY_PREFIX": DIRECTORY.name,
}
MEMCACHED = {
    "BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
    "LOCATION": f"unix:{DIRECTORY / 'memcached.sock'}",
}
CACHES = {"default": MEMCACHED if ENGINE.cache == "memcached" else REDIS}

INSTALLED_APPS = stock.INSTALLED_APPS
# The browsers of these tests do not send CSRF tokens.
CSRF = "django.middleware.csrf.CsrfViewMiddleware"
MIDDLEWARE = [each for each in stock.MIDDLEWARE if each != CSRF]
TEMPLATES = stock.TEMPLATES
ROOT_URLCONF = "tests.finality.project.urls"
LOGIN_URL = "/sync/sign-in/"
STATIC_URL = stock.STATIC_URL
ALLOWED_HOSTS = ["127.0.0.1"]
DEFAULT_AUTO_FIELD = stock.DEFAULT_AUTO_FIELD
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SECRET_KEY, *SECRET_KEY_FALLBACKS = os.environ["FINALITY_SECRET_KEYS"].split(",")
USE_TZ = True

# Entries that a run leaves in the cache expire soon.
SESSION_COOKIE_AGE = 600
SESSION_FILE_PATH = str(DIRECTORY)
SESSION_SAVE_EVERY_REQUEST = os.environ["FINALITY_SAVE_EVERY_REQUEST"] == "1"

# The tests read the servers' errors from standard error.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": "ERROR"},
    "loggers": {"django": {"handlers": [], "level": "ERROR", "propagate": True}},
}

ENGINE.configure(globals())
CONTENDER.configure(globals())
ENGINE.configure_last(globals())
