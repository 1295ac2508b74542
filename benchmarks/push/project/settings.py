"""A project on PostgreSQL whose sessions are ended by newer ones."""

import os
from importlib.util import find_spec

# Not there in the suite, which measures nothing.
HAS_POOL = find_spec("psycopg_pool") is not None

SECRET_KEY = "benchmarks"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "benchmarks.push.project.urls"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "session_limit",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "session_limit.middleware.SessionLimitMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ.get("PGHOST", "127.0.0.1"),
        "PORT": os.environ.get("PGPORT", "5432"),
        "USER": os.environ.get("PGUSER", "postgres"),
        "PASSWORD": os.environ.get("PGPASSWORD", ""),
        "NAME": os.environ["BENCHMARKS_NAME"],
        # Kept, as in production: under ASGI that takes a pool.
        "OPTIONS": {"pool": {"min_size": 1, "max_size": 4}} if HAS_POOL else {},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGGING = {"version": 1, "loggers": {"session_limit": {"level": "ERROR"}}}
USE_TZ = True

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/5")
BUSES = {
    "memory": {"BACKEND": "session_limit.bus.memory.MemoryBus"},
    "redis": {
        "BACKEND": "session_limit.bus.redis.RedisBus",
        "OPTIONS": {"url": REDIS_URL, "channel": os.environ["BENCHMARKS_NAME"]},
    },
    "postgres": {"BACKEND": "session_limit.bus.postgres.PostgresBus"},
}
BUS = os.environ.get("BENCHMARKS_BUS", "memory")
if BUS in BUSES:
    SESSION_LIMIT_BUS = BUSES[BUS]
# What a project does by itself, with a consumer for each page.
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {
            # By redis-py's default, a consumer that hears nothing for 5 s fails.
            "hosts": [{"address": REDIS_URL, "socket_timeout": None}],
            "prefix": os.environ["BENCHMARKS_NAME"],
        },
    }
}
