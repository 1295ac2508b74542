"""Settings like those in as_is.py, with this package installed."""

import sys

from as_is import *  # noqa: F403

# Django's runtests.py adds these two lists to the settings after it has read them.
runtests = sys.modules["__main__"]
runtests.ALWAYS_INSTALLED_APPS.append("session_limit")
runtests.ALWAYS_MIDDLEWARE.insert(
    1
    + runtests.ALWAYS_MIDDLEWARE.index(
        "django.contrib.sessions.middleware.SessionMiddleware"
    ),
    "session_limit.middleware.SessionLimitMiddleware",
)
