"""Hold connections in a hub, and end their sessions in another process."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from datetime import timedelta
from threading import Thread
from typing import Any
from unittest import mock
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.utils import timezone

from benchmarks.project.people import create_users, migrate
from benchmarks.project.recording import recorded
from session_limit import registry
from session_limit.asgi.hub import current_hub
from session_limit.models import Play, UserSession

# The error of a wrong clock.
CLOCK = timedelta(minutes=1)
HEARD: dict[str, float] = {}


def hold(count: int) -> list[str]:
    """
    Create users with a live session each, and register each session with the hub.

    Return the ids of the sessions.
    """
    migrate()
    create_users(count)
    later = timezone.now() + timedelta(days=1)
    sessions = [
        UserSession(user=user, expires_at=later, session_key=f"key{user.pk:029}")
        for user in get_user_model().objects.all()
    ]
    UserSession.objects.bulk_create(sessions, batch_size=1000)
    if settings.CONTENDER.settings:
        plays = [
            Play(
                user_id=session.user_id,
                session=session,
                started_at=timezone.now(),
                lease_until=later,
            )
            for session in sessions
        ]
        Play.objects.bulk_create(plays, batch_size=1000)
    connection.close()
    ids = [session.pk for session in sessions]
    loop = asyncio.new_event_loop()
    Thread(target=loop.run_forever, daemon=True).start()
    asyncio.run_coroutine_threadsafe(_join(ids), loop).result()
    # Wait for the first sweeps, which take longer because nothing is cached.
    time.sleep(3)
    return [id.hex for id in ids]


async def _join(ids: list[UUID]) -> None:
    def listener(id: UUID) -> Callable[[Any], None]:
        def listen(reason: Any) -> None:
            if reason is not None:
                HEARD[id.hex] = time.time()

        return listen

    hub = current_hub()
    for id in ids:
        hub.join(id, listener(id))


def cost(seconds: float) -> dict[str, float]:
    """Return the statements and the CPU seconds that the hub uses per second."""
    with recorded() as statements:
        cpu = time.process_time()
        time.sleep(seconds)
        cpu = time.process_time() - cpu
    return {"statements": len(statements) / seconds, "cpu": cpu / seconds}


def heard() -> dict[str, float]:
    """Return the time when each connection learned of its ending, by session id."""
    return HEARD


def end(soon: list[str], late: list[str], seconds: float) -> dict[str, float]:
    """
    End some sessions one by one with a wrong clock, and others in one transaction.

    ``soon`` are the ids of the sessions to end one by one. ``late`` are the ids of the
    others, and ``seconds`` is the length of their transaction. Return the time when
    each ending was committed, by session id.
    """
    committed: dict[str, float] = {}
    now, reason = timezone.now, UserSession.Reason.REVOKED

    def end_late() -> None:
        with transaction.atomic():
            registry.end([UUID(id) for id in late], reason)
            time.sleep(seconds)
        committed.update(dict.fromkeys(late, time.time()))
        connection.close()

    thread = Thread(target=end_late)
    thread.start()
    for number, id in enumerate(soon):
        time.sleep(random.uniform(0.2, 1.0))
        wrong = now() + (CLOCK if number % 2 else -CLOCK)
        with mock.patch.object(timezone, "now", lambda wrong=wrong: wrong):
            registry.end([UUID(id)], reason)
        committed[id] = time.time()
    thread.join()
    return committed
