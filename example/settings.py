"""
Settings of the example site. An arrow marks each line that session_limit needs.

A site in production also needs its own secret key, HTTPS, secure cookies, and a web
server for its static files.
"""

from __future__ import annotations

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent

SECRET_KEY = "only-for-the-example-which-listens-on-this-machine-alone"
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "example.urls"

INSTALLED_APPS = [
    "example",  # above the others, so that its templates are used
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "session_limit",  # <- after django.contrib.auth
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "example.csp.content_security_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "session_limit.middleware.SessionLimitMiddleware",  # <- directly below it
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

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

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("EXAMPLE_DATABASE", BASE_DIR / "db.sqlite3"),
        # Django recommends this if several processes write to one SQLite file.
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
    }
}
# `make demo BUS=...` selects a message bus. A real site configures one bus, or none.
# Without a bus, other processes learn within a second that a session has ended.
match os.environ.get("EXAMPLE_BUS"):
    case "redis":
        SESSION_LIMIT_BUS = {  # <- notifies other processes at once
            "BACKEND": "session_limit.bus.redis.RedisBus",
            "OPTIONS": {"url": os.environ["REDIS_URL"]},
        }
    case "postgres":
        SESSION_LIMIT_BUS = {"BACKEND": "session_limit.bus.postgres.PostgresBus"}
        DATABASES["default"] = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ["EXAMPLE_DATABASE"],
        }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "members"

SESSION_LIMIT_PLAYS = 2  # <- streams at a time, however many devices sign in
SESSION_LIMIT_SECURE_ACCOUNT_URL = "/account/password/"  # <- where "Not you?" leads

STATIC_URL = "static/"

LANGUAGE_CODE = "en"
LANGUAGES = [
    ("ar", "العربية"),
    ("de", "Deutsch"),
    ("en", "English"),
    ("es", "Español"),
    ("fr", "Français"),
    ("ja", "日本語"),
    ("pt-br", "Português do Brasil"),
]
TIME_ZONE = "UTC"
USE_TZ = True
