"""Settings of the example site, as the browser tests change them."""

import json
import os

from example.settings import *  # noqa: F403 a site of its own, but for a few

# Django's own hasher is slow on purpose, and would take most of a test's time.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# A directory beside the database.
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = f"{DATABASES['default']['NAME']}.mail"  # noqa: F405 the example's

globals().update(json.loads(os.environ.get("SITE_SETTINGS", "{}")))
