"""Make users, each signed in: ``python -m benchmarks.push.project.people COUNT``."""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.push.project.settings")


def main(count):
    """Print a session's key for each."""
    django.setup()
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    users = get_user_model().objects
    users.bulk_create(users.model(username=f"user{n}") for n in range(count))
    for user in users.order_by("pk"):
        client = Client()
        client.force_login(user, "django.contrib.auth.backends.ModelBackend")
        print(user.username, client.cookies[settings.SESSION_COOKIE_NAME].value)


if __name__ == "__main__":
    main(int(sys.argv[1]))
