"""Create the project's users, with sessions and plays, and its database tables."""

from __future__ import annotations

import copy

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.test import Client
from django.utils.crypto import get_random_string

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


def create_players(count: int) -> list[tuple[str, str]]:
    """
    Create users who each have a live session and a live play, copied from one user's.

    Return the session key and the play's id of each. Signing in tens of thousands of
    users would take many minutes.
    """
    from session_limit.models import Play, UserSession, uuid7
    from session_limit.registry.credentials import digest
    from session_limit.store import engines

    [(_, first_key, session_id, play_id)] = create(1)
    session = UserSession.objects.get(pk=session_id)
    play = Play.objects.get(pk=play_id)
    data = dict(SessionStore(first_key).items())
    users = get_user_model().objects.filter(username__in=create_users(count))
    stored, sessions, plays = [], [], []
    for user in users.iterator():
        key, id, proof = get_random_string(32), uuid7(), user.get_session_auth_hash()
        own = {SESSION_KEY: str(user.pk), HASH_SESSION_KEY: proof}
        own |= {"_session_limit_id": id.hex}
        stored.append(SessionStore(key).create_model_instance({**data, **own}))
        session.pk, session.user, session.session_key = id, user, key
        session.key_digest, session.credentials = engines.digest(key), digest(proof)
        sessions.append(copy.copy(session))
        play.pk, play.user, play.session_id = uuid7(), user, id
        plays.append(copy.copy(play))
    for model, rows in (
        (SessionStore.get_model_class(), stored),
        (UserSession, sessions),
        (Play, plays),
    ):
        model.objects.bulk_create(rows, batch_size=1_000)
    return [
        (one.session_key, str(two.pk)) for one, two in zip(stored, plays, strict=True)
    ]
