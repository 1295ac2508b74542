"""Define the base class of message buses, which notify processes of ended sessions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from uuid import UUID

from django.core.checks import CheckMessage


class Bus:
    """
    Base class of message buses, which notify all processes of ended sessions.

    To use another broker, name a subclass in ``SESSION_LIMIT_BUS``. The constructor
    receives the ``OPTIONS`` as keyword arguments::

        SESSION_LIMIT_BUS = {
            "BACKEND": "accounts.buses.MyBus",
            "OPTIONS": {"server": "broker.internal"},
        }

    Messages are only hints. A process that receives the id of a session reads the
    session's database row before it notifies anyone, so a repeated or forged message
    does no harm. Each process also reads the database every second, so a lost message
    only delays the notification.
    """

    # Whether other processes receive what one process publishes.
    crosses_processes = False

    @property
    def address(self) -> str:
        """Return the bus address without passwords. Defaults to the class name."""
        return type(self).__name__

    def publish(self, ids: Sequence[UUID]) -> None:
        """
        Send the ids of ended sessions to all subscribers.

        This method runs after the commit, in the request that ended the sessions. The
        request waits, so this method must return or raise within a quarter of a second.
        Errors are logged and do not fail the request.
        """
        raise NotImplementedError

    def subscribe(self) -> AsyncGenerator[Sequence[UUID] | None]:
        """
        Yield the ids of ended sessions as messages arrive over one connection.

        Yield ``None`` as soon as messages can arrive. The caller then reads all
        sessions, because earlier messages may have been missed. If the connection
        fails, raise an exception instead of reconnecting. The caller then subscribes
        again after a pause. The caller closes the generator to stop listening.
        """
        raise NotImplementedError

    def check(self) -> Iterable[CheckMessage]:
        """Return messages for Django's system checks about mistakes in the options."""
        return []
