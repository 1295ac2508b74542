"""Create the project's users, with sessions and plays, and its database tables."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client

from benchmarks.project.views import BACKEND


def migrate() -> None:
    call_command("migrate", verbosity=0)


def create_users(count: int) -> list[str]:
    """Create users who have no password, and return their names."""
    users = get_user_model().objects
    have = users.count()
    names = [f"user{number}" for number in range(have, have + count)]
    users.bulk_create(users.model(username=name, password="!") for name in names)
    return names


def create(count: int) -> list[tuple[str, str, str, str]]:
    """
    Create users who each have a live session and a live play.

    Return the username, the session key, the session's id and the play's id of each.
    """
    from session_limit import registry
    from session_limit.models import UserSession

    migrate()
    found = []
    for name in create_users(count):
        user = get_user_model().objects.get(username=name)
        client = Client()
        client.force_login(user, BACKEND)
        session = UserSession.objects.live().get(user=user)
        play = registry.play(session, "film").play
        key = client.cookies[settings.SESSION_COOKIE_NAME].value
        found.append((name, key, session.pk.hex, str(play.pk)))
    return found
