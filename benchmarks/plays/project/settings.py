"""The project of benchmarks/push, with plays, on a session engine of choice."""

import os

from benchmarks.push.project.settings import *  # noqa: F403 all of it
from benchmarks.push.project.settings import REDIS_URL

ENGINE = os.environ.get("BENCHMARKS_ENGINE", "db")
SESSION_ENGINE = f"django.contrib.sessions.backends.{ENGINE}"
SESSION_FILE_PATH = os.environ.get("BENCHMARKS_FILES")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": os.environ["BENCHMARKS_NAME"],
    }
}
ROOT_URLCONF = "benchmarks.plays.project.urls"
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "session_limit.middleware.SessionLimitMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
SESSION_LIMIT_PLAYS = 1
# One thread asks, and its connection stays: what a pool adds is not measured here.
DATABASES["default"]["OPTIONS"] = {}  # noqa: F405
