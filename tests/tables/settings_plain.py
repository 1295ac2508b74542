"""Settings of a project whose user model does not derive from AbstractBaseUser."""

from tests.tables.settings import *  # noqa: F403

AUTH_USER_MODEL = "tables.Plain"
AUTHENTICATION_BACKENDS = ["tests.tables.backends.PlainBackend"]
