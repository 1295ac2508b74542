"""
Make users, each signed in and playing: ``python -m benchmarks.plays.project.people
COUNT``. The tables are made where there are none.
"""

import os
import sys

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.plays.project.settings"


def main(count):
    """Print for each: a session's key, its id, and that of what it plays."""
    django.setup()
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.test import Client

    from session_limit import registry
    from session_limit.models import UserSession

    call_command("migrate", verbosity=0)
    users = get_user_model().objects
    have = users.count()
    names = [f"user{number}" for number in range(have, have + count)]
    users.bulk_create(users.model(username=name) for name in names)
    for user in users.filter(username__in=names):
        client = Client()
        client.force_login(user, "django.contrib.auth.backends.ModelBackend")
        session = UserSession.objects.live().get(user=user)
        play = registry.play(session, "film").play
        key = client.cookies[settings.SESSION_COOKIE_NAME].value
        print(key, session.pk.hex, play.pk)


if __name__ == "__main__":
    main(int(sys.argv[1]))
