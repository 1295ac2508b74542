"""
The stock project that every contender runs in, served by several processes, which
these variables of the environment configure:

- ``TRUTH_CONTENDER``, ``TRUTH_ENGINE``: whom and on what, by name.
- ``TRUTH_DIRECTORY``: where files may be put, and memcached's socket is.
- ``TRUTH_SECRET_KEYS``: the secret, then those that are still honoured, by commas.
- ``TRUTH_SAVE_EVERY_REQUEST``, ``TRUTH_ATOMIC_REQUESTS``: ``1`` or ``0``.
- ``REDIS_URL``: the server, and which of its databases.
- ``CAP_ENGINE``, ``CAP_NAME``, ``CAP_HOST``, ``CAP_PORT``, ``CAP_USER``,
  ``CAP_PASSWORD``: the database, as ``tests.cap.databases`` has made it.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from benchmarks import contenders
from benchmarks.project import settings as stock
from benchmarks.truth.engines import ENGINES

CONTENDER = contenders.get(os.environ["TRUTH_CONTENDER"])
ENGINE = ENGINES[os.environ["TRUTH_ENGINE"]]
DIRECTORY = Path(os.environ["TRUTH_DIRECTORY"])

DATABASE = os.environ["CAP_ENGINE"]
# Connections are kept: where that can be in a pool, which has no more than are used.
IS_POOLED = DATABASE == "postgresql" and find_spec("psycopg_pool") is not None
# Immediate: the package's checks ask for it where SQLite meets ATOMIC_REQUESTS.
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
        "ATOMIC_REQUESTS": os.environ["TRUTH_ATOMIC_REQUESTS"] == "1",
        "CONN_MAX_AGE": 0 if IS_POOLED else 60,
        "OPTIONS": OPTIONS.get(DATABASE, {}),
    }
}
REDIS = {
    "BACKEND": "django.core.cache.backends.redis.RedisCache",
    "LOCATION": os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"),
    # This run's own: two do not meet in one cache.
    "KEY_PREFIX": DIRECTORY.name,
}
MEMCACHED = {
    "BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
    "LOCATION": f"unix:{DIRECTORY / 'memcached.sock'}",
}
CACHES = {"default": MEMCACHED if ENGINE.cache == "memcached" else REDIS}

INSTALLED_APPS = stock.INSTALLED_APPS
# The browsers here fill in no forms.
CSRF = "django.middleware.csrf.CsrfViewMiddleware"
MIDDLEWARE = [each for each in stock.MIDDLEWARE if each != CSRF]
TEMPLATES = stock.TEMPLATES
ROOT_URLCONF = "benchmarks.truth.project.urls"
LOGIN_URL = "/sync/sign-in/"
STATIC_URL = stock.STATIC_URL
ALLOWED_HOSTS = ["127.0.0.1"]
DEFAULT_AUTO_FIELD = stock.DEFAULT_AUTO_FIELD
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SECRET_KEY, *SECRET_KEY_FALLBACKS = os.environ["TRUTH_SECRET_KEYS"].split(",")
USE_TZ = True

# What is left in a cache goes by itself.
SESSION_COOKIE_AGE = 600
SESSION_FILE_PATH = str(DIRECTORY)
SESSION_SAVE_EVERY_REQUEST = os.environ["TRUTH_SAVE_EVERY_REQUEST"] == "1"

# What the harness looks for in the servers' standard error.
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
