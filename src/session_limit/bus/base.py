"""What carries the news of an ending from process to process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from uuid import UUID

from django.core.checks import CheckMessage


class Bus:
    """
    The interface: derive from it to bring your own, and name that in
    ``SESSION_LIMIT_BUS``; ``OPTIONS`` are its keyword arguments.

    What it carries are ids of sessions that have ended, and hints only: whoever hears
    one reads the row before anybody is told. So what is lost, doubled or forged costs a
    second at most: the sweep under every bus finds what was lost.
    """

    # Whether what one process publishes is heard by others.
    crosses_processes = False

    @property
    def address(self) -> str:
        """
        Where this bus connects to, as the log names it: without a password.

        By default the name of its class.
        """
        return type(self).__name__

    def publish(self, ids: Sequence[UUID]) -> None:
        """
        Tell that the sessions with these ids have ended. Called after the commit, in
        the request that ended them: it has to be done in a quarter of a second, or to
        raise. What it raises is logged, and fails nothing.
        """
        raise NotImplementedError

    def subscribe(self) -> AsyncGenerator[Sequence[UUID] | None]:
        """
        Hear what is published, over one connection: yield ``None`` as soon as it
        listens, for what was published before it may have missed; then ids, as they
        come. Raises what tells that the connection was lost, and does not connect
        again: its caller does, after a while. Closing the generator ends it.
        """
        raise NotImplementedError

    def check(self) -> Iterable[CheckMessage]:
        """Return what is wrong with how it was set up, for Django's system checks."""
        return []
