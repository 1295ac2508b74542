"""Find ports for servers that tests start."""

from __future__ import annotations

import socket
from contextlib import ExitStack


def free_ports(count):
    """Return a list of ``count`` different ports on which no program listens."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
