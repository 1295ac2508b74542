"""
Configure the project for all benchmarks, which is like one made by ``startproject``.

These environment variables choose the rest:

BENCHMARKS_CONTENDER     the name of a contender in ``benchmarks.contenders``
BENCHMARKS_ENGINE        one of Django's session engines, such as db
BENCHMARKS_DATABASE      sqlite or postgresql
BENCHMARKS_NAME          the name of the database, or its file
BENCHMARKS_SERVER        wsgi or asgi
BENCHMARKS_POOL          0 for an ASGI project without a connection pool
BENCHMARKS_BUS           memory, redis, postgres or channels
BENCHMARKS_FILES         the directory of the ``file`` engine
"""

import os
from importlib.util import find_spec

from benchmarks.contenders import BY_NAME, ENGINES
from benchmarks.servers import REDIS_URL

CONTENDER = BY_NAME[os.environ.get("BENCHMARKS_CONTENDER", "plain")]
DATABASE = os.environ.get("BENCHMARKS_DATABASE", "sqlite")
NAME = os.environ.get("BENCHMARKS_NAME", ":memory:")
SERVER = os.environ.get("BENCHMARKS_SERVER", "wsgi")
BUS = os.environ.get("BENCHMARKS_BUS", "memory")

SECRET_KEY = "benchmarks-" + 50 * "x"
ALLOWED_HOSTS = ["*"]
TIME_ZONE = "UTC"
USE_TZ = True
LOGIN_URL = "/sign-in/"
LOGGING = {"version": 1, "loggers": {"session_limit": {"level": "ERROR"}}}

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "benchmarks.project.urls"
STATIC_URL = "static/"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# Connections stay open, as in production. CONN_MAX_AGE has no effect under ASGI, so a
# pool keeps them open there. The test suite does not install psycopg_pool.
HAS_POOL = (
    SERVER == "asgi"
    and os.environ.get("BENCHMARKS_POOL") != "0"
    and find_spec("psycopg_pool") is not None
)
POSTGRESQL = {
    "ENGINE": "django.db.backends.postgresql",
    "HOST": os.environ.get("PGHOST", "127.0.0.1"),
    "PORT": os.environ.get("PGPORT", "5432"),
    "USER": os.environ.get("PGUSER", "postgres"),
    "PASSWORD": os.environ.get("PGPASSWORD", ""),
    "NAME": NAME,
    "CONN_MAX_AGE": None if SERVER == "wsgi" else 0,
    "OPTIONS": {"pool": {"min_size": 1, "max_size": 4}} if HAS_POOL else {},
}
SQLITE = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": NAME,
    "CONN_MAX_AGE": None,
    "OPTIONS": {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL;",
    },
}
DATABASES = {"default": POSTGRESQL if DATABASE == "postgresql" else SQLITE}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": NAME,
    }
}
ENGINE = os.environ.get("BENCHMARKS_ENGINE", "db")
SESSION_ENGINE = ENGINES[ENGINE]
SESSION_FILE_PATH = os.environ.get("BENCHMARKS_FILES")

if BUS == "redis":
    SESSION_LIMIT_BUS = {
        "BACKEND": "session_limit.bus.redis.RedisBus",
        "OPTIONS": {"url": REDIS_URL, "channel": NAME},
    }
elif BUS == "postgres":
    SESSION_LIMIT_BUS = {"BACKEND": "session_limit.bus.postgres.PostgresBus"}
# With redis-py's default timeout, a consumer that is idle for 5 seconds fails.
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {
            "hosts": [{"address": REDIS_URL, "socket_timeout": None}],
            "prefix": NAME,
        },
    }
}

CONTENDER.configure(globals())
