"""Define what a bus is: the carrier of endings between processes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from uuid import UUID

from django.core.checks import CheckMessage


class Bus:
    """
    Carry the ids of sessions that have ended to every process that serves open pages.

    Subclass this to use another broker, and name the subclass in ``SESSION_LIMIT_BUS``.
    Its ``OPTIONS`` are passed as keyword arguments::

        SESSION_LIMIT_BUS = {
            "BACKEND": "accounts.buses.MyBus",
            "OPTIONS": {"server": "broker.internal"},
        }

    Messages are hints: a process that receives an id reads the session's row before it
    notifies anyone. A message that is lost, repeated or forged therefore does no harm.
    The sweep finds the endings of lost messages within a second.
    """

    # Whether other processes receive what one process publishes.
    crosses_processes = False

    @property
    def address(self) -> str:
        """
        The server of this bus, for the log. It must not contain a password.

        By default the name of the class.
        """
        return type(self).__name__

    def publish(self, ids: Sequence[UUID]) -> None:
        """
        Publish that the sessions with these ids have ended.

        Called after the commit, in the request that ended them. Return or raise within
        a quarter of a second, because that request waits. Errors are logged and do not
        fail the request.
        """
        raise NotImplementedError

    def subscribe(self) -> AsyncGenerator[Sequence[UUID] | None]:
        """
        Yield the ids that are published, as they arrive over one connection.

        Yield ``None`` first, once messages can arrive: the caller then reads all
        sessions, because earlier messages may have been missed. Raise if the connection
        is lost, and do not reconnect: the caller subscribes again after a pause. The
        caller closes the generator when it stops listening.
        """
        raise NotImplementedError

    def check(self) -> Iterable[CheckMessage]:
        """Return messages about mistakes in the options, for Django's system checks."""
        return []
