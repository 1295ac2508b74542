"""Define the base class of message buses, which tell processes of ended sessions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from uuid import UUID

from django.core.checks import CheckMessage


class Bus:
    """
    Base class of message buses, which tell all processes that sessions have ended.

    Subclass this to use another broker, and name the subclass in ``SESSION_LIMIT_BUS``.
    The constructor receives the ``OPTIONS`` as keyword arguments::

        SESSION_LIMIT_BUS = {
            "BACKEND": "accounts.buses.MyBus",
            "OPTIONS": {"server": "broker.internal"},
        }

    Messages are only hints. A process that receives the id of a session reads the
    session's database row before it notifies anyone, so a repeated or forged message
    does no harm. Each process also reads the database every second, and finds the
    endings of lost messages then.
    """

    # Whether other processes receive what one process publishes.
    crosses_processes = False

    @property
    def address(self) -> str:
        """
        The server of this bus, as log messages name it, without a password.

        The default is the name of the class.
        """
        return type(self).__name__

    def publish(self, ids: Sequence[UUID]) -> None:
        """
        Send the ids of ended sessions to all subscribers.

        Called after the commit, in the request that ended the sessions. Return or raise
        within a quarter of a second, because that request waits. Errors are logged and
        do not fail the request.
        """
        raise NotImplementedError

    def subscribe(self) -> AsyncGenerator[Sequence[UUID] | None]:
        """
        Yield the ids of ended sessions as messages arrive over one connection.

        Yield ``None`` as soon as messages can arrive. The caller then reads all
        sessions, because it may have missed earlier messages. Raise an exception if the
        connection is lost, and do not reconnect: the caller subscribes again after a
        pause. The caller closes the generator when it stops listening.
        """
        raise NotImplementedError

    def check(self) -> Iterable[CheckMessage]:
        """Return messages for Django's system checks about mistakes in the options."""
        return []
