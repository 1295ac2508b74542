"""
The project that the suite runs in. Three variables of the environment choose it:

SESSION_LIMIT_TEST_DB          sqlite (default), postgresql or mariadb
SESSION_LIMIT_TEST_DB_NAME     the database's name, so that two runs do not meet
SESSION_LIMIT_TEST_USER_MODEL  auth.User (default), users.EmailUser, users.CodeUser

Where a server is and who connects is said by the variables that its own client reads.
"""

import os
import tempfile
from pathlib import Path

DB = os.environ.get("SESSION_LIMIT_TEST_DB", "sqlite")
DB_NAME = os.environ.get("SESSION_LIMIT_TEST_DB_NAME", "session_limit")

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

# A file, because threads and processes share it.
SQLITE_FILE = Path(tempfile.gettempdir()) / f"{DB_NAME}_{os.getpid()}.sqlite3"
SQLITE = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": SQLITE_FILE,
    "OPTIONS": {"timeout": 30, "init_command": "PRAGMA synchronous = OFF"},
    "TEST": {"NAME": SQLITE_FILE},
}

DATABASES = {"default": SQLITE if DB == "sqlite" else SERVERS[DB]}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = os.environ.get("SESSION_LIMIT_TEST_USER_MODEL", "auth.User")
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SECRET_KEY = "tests"
USE_TZ = True
ALLOWED_HOSTS = ["*"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "session_limit",
    "tests.users",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "session_limit.middleware.SessionLimitMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "tests.urls"
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
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
