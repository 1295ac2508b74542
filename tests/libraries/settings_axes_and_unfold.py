"""
Settings of the same project with two libraries that change how the others behave.

Every sign-in goes through django-axes, and the admin is django-unfold's.
"""

from tests.libraries.settings import *  # noqa: F403
from tests.libraries.settings import (
    AUTHENTICATION_BACKENDS,
    INSTALLED_APPS,
    MIDDLEWARE,
)

INSTALLED_APPS = ["unfold", *INSTALLED_APPS, "axes"]
MIDDLEWARE = [*MIDDLEWARE, "axes.middleware.AxesMiddleware"]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    *AUTHENTICATION_BACKENDS,
]
ROOT_URLCONF = "tests.libraries.urls_unfold"

AXES_FAILURE_LIMIT = 3
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
