"""The example's settings, and what a site of the browser tests has otherwise."""

import json
import os

from example.settings import *  # noqa: F403 a site of its own, but for a few

# A hash that takes long on purpose would be most of what a story takes.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Beside the database.
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = f"{DATABASES['default']['NAME']}.mail"  # noqa: F405 the example's

globals().update(json.loads(os.environ.get("SITE_SETTINGS", "{}")))
