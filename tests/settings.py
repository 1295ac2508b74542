"""
Configure the project that the suite runs in, by five environment variables.

SESSION_LIMIT_TEST_DB          sqlite (default), postgresql or mariadb
SESSION_LIMIT_TEST_DB_NAME     the database's name, so that two runs do not meet
SESSION_LIMIT_TEST_ENGINE      where sessions are stored: one of ENGINES, default db
SESSION_LIMIT_TEST_USER_MODEL  auth.User (default), users.EmailUser, users.CodeUser
SESSION_LIMIT_TEST_SERVED      how stories are served: sync, async or both (default)

The servers' own environment variables give the address and the user of each server.
"""

import os
import tempfile
from pathlib import Path

DB = os.environ.get("SESSION_LIMIT_TEST_DB", "sqlite")
DB_NAME = os.environ.get("SESSION_LIMIT_TEST_DB_NAME", "session_limit")
_served = os.environ.get("SESSION_LIMIT_TEST_SERVED", "both")
SERVED = {"sync": ["sync"], "async": ["async"], "both": ["sync", "async"]}[_served]

SERVERS = {
    "postgresql": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ.get("PGHOST", "127.0.0.1"),
        "PORT": os.environ.get("PGPORT", "5432"),
        "USER": os.environ.get("PGUSER", "postgres"),
        "PASSWORD": os.environ.get("PGPASSWORD", ""),
        "NAME": DB_NAME,
    },
    "mariadb": {
        "ENGINE": "django.db.backends.mysql",
        "HOST": os.environ.get("MYSQL_HOST", "127.0.0.1"),
        "PORT": os.environ.get("MYSQL_TCP_PORT", "3306"),
        "USER": os.environ.get("MYSQL_USER", "root"),
        "PASSWORD": os.environ.get("MYSQL_PWD", ""),
        "NAME": DB_NAME,
        "OPTIONS": {"charset": "utf8mb4"},
    },
}
REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")

# In a file, because threads and processes share it.
SQLITE_FILE = Path(tempfile.gettempdir()) / f"{DB_NAME}_{os.getpid()}.sqlite3"
SQLITE = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": SQLITE_FILE,
    "OPTIONS": {"timeout": 30, "init_command": "PRAGMA synchronous = OFF"},
    "TEST": {"NAME": SQLITE_FILE},
}

DATABASES = {"default": SQLITE if DB == "sqlite" else SERVERS[DB]}

# No other run shares these: a prefix in Redis, a directory for files and a socket.
RUN = f"{DB_NAME}_{os.getpid()}"
RUN_DIRECTORY = Path(tempfile.gettempdir()) / RUN
MEMCACHED_SOCKET = RUN_DIRECTORY / "memcached.sock"

LOCAL_MEMORY = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
REDIS = {
    "BACKEND": "django.core.cache.backends.redis.RedisCache",
    "LOCATION": REDIS_URL,
    "KEY_PREFIX": RUN,
}
MEMCACHED = {
    "BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
    "LOCATION": f"unix:{MEMCACHED_SOCKET}",
}

# The SESSION_ENGINE and the cache that it uses, by name
ENGINES = {
    "db": ("django.contrib.sessions.backends.db", LOCAL_MEMORY),
    # The same, with sessions in a database of their own ...
    "db_elsewhere": ("django.contrib.sessions.backends.db", LOCAL_MEMORY),
    # ... or read from a replica that lags (tests/interleavings/test_replica.py).
    "db_replica": ("django.contrib.sessions.backends.db", LOCAL_MEMORY),
    "cached_db": ("django.contrib.sessions.backends.cached_db", REDIS),
    "cache_locmem": ("django.contrib.sessions.backends.cache", LOCAL_MEMORY),
    "cache_memcached": ("django.contrib.sessions.backends.cache", MEMCACHED),
    "cache_redis": ("django.contrib.sessions.backends.cache", REDIS),
    "file": ("django.contrib.sessions.backends.file", LOCAL_MEMORY),
    "signed_cookies": ("django.contrib.sessions.backends.signed_cookies", LOCAL_MEMORY),
    "qsessions_db": ("qsessions.backends.db", LOCAL_MEMORY),
    "qsessions_cached_db": ("qsessions.backends.cached_db", REDIS),
}
ENGINE = os.environ.get("SESSION_LIMIT_TEST_ENGINE", "db")
SESSION_ENGINE, CACHE = ENGINES[ENGINE]
CACHES = {"default": CACHE}
SESSION_FILE_PATH = str(RUN_DIRECTORY)
if ENGINE == "db_elsewhere":
    elsewhere = RUN_DIRECTORY / "sessions.sqlite3"
    DATABASES["elsewhere"] = {**SQLITE, "NAME": elsewhere, "TEST": {"NAME": elsewhere}}
    DATABASE_ROUTERS = ["tests.routers.SessionsElsewhere"]
if ENGINE == "db_replica":
    replica = RUN_DIRECTORY / "replica.sqlite3"
    DATABASES["replica"] = {**SQLITE, "NAME": replica, "TEST": {"NAME": replica}}
    DATABASE_ROUTERS = ["tests.routers.ReadsFromReplica"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = os.environ.get("SESSION_LIMIT_TEST_USER_MODEL", "auth.User")
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SECRET_KEY = "tests"
USE_TZ = True
ALLOWED_HOSTS = ["*"]
# Django 6.1 requires this setting.
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "session_limit",
    "tests.users",
]
if ENGINE.startswith("qsessions"):
    INSTALLED_APPS.append("qsessions")
MIDDLEWARE = [
    "qsessions.middleware.SessionMiddleware"
    if ENGINE.startswith("qsessions")
    else "django.contrib.sessions.middleware.SessionMiddleware",
    "session_limit.middleware.SessionLimitMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "tests.urls"
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
STATIC_URL = "/static/"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
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
