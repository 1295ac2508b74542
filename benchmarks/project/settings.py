"""
The one project that every contender runs in: what ``startproject`` makes, and nothing
else. Variables of the environment choose the rest:

BENCHMARKS_CONTENDER     a name of ``benchmarks.contenders``
BENCHMARKS_ENGINE        db, cached_db or cache
BENCHMARKS_DATABASE      sqlite or postgresql
BENCHMARKS_NAME          the file, or the database's name
BENCHMARKS_SERVER        wsgi or asgi
"""

import os

from benchmarks import contenders
from benchmarks.contenders.base import ENGINES
from benchmarks.project.redis_url import REDIS_URL

CONTENDER = contenders.get(os.environ.get("BENCHMARKS_CONTENDER", "plain"))
DATABASE = os.environ.get("BENCHMARKS_DATABASE", "sqlite")
NAME = os.environ.get("BENCHMARKS_NAME", ":memory:")
SERVER = os.environ.get("BENCHMARKS_SERVER", "wsgi")

SECRET_KEY = "benchmarks-" + 50 * "x"
ALLOWED_HOSTS = ["*"]
TIME_ZONE = "UTC"
USE_TZ = True
LOGIN_URL = "/sign-in/"

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

# What a project in production has: connections that are kept. CONN_MAX_AGE does
# nothing under ASGI, where a pool keeps them.
POSTGRESQL = {
    "ENGINE": "django.db.backends.postgresql",
    "HOST": os.environ.get("PGHOST", "127.0.0.1"),
    "PORT": os.environ.get("PGPORT", "5432"),
    "USER": os.environ.get("PGUSER", "postgres"),
    "PASSWORD": os.environ.get("PGPASSWORD", ""),
    "NAME": NAME,
    "CONN_MAX_AGE": None if SERVER == "wsgi" else 0,
    "OPTIONS": {} if SERVER == "wsgi" else {"pool": True},
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
    }
}
SESSION_ENGINE = ENGINES[os.environ.get("BENCHMARKS_ENGINE", "db")]

CONTENDER.configure(globals())
