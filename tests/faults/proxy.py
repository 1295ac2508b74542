"""Provide a TCP proxy that drops, delays, resets and refuses connections."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import Self

# Close with a reset instead of waiting for the other end.
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """
    Pass bytes between clients and one server, until a test asks for a fault.

    It runs in daemon threads and listens on a free port of 127.0.0.1 (``port``). Use it
    as a context manager. ``host`` is the server's host, or the directory of the Unix
    socket of PostgreSQL.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._pairs: list[_Pair] = []
        self._lock = threading.Lock()
        # Seconds to wait before passing each chunk on, in both directions.
        self.delay = 0.0
        # Whether new connections are closed at once.
        self.refuse = False
        # Whether connections that are made from now on stall at once.
        self.stall_new = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        # Wake up accept(), which close() alone does not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    @property
    def open_connections(self) -> int:
        """The number of connections that are open now, stalled or not."""
        with self._lock:
            return sum(not pair.closed for pair in self._pairs)

    def stall(self) -> None:
        """
        Drop everything that existing connections send from now on, silently, like a
        firewall that has forgotten them. New connections work.
        """
        with self._lock:
            for pair in self._pairs:
                pair.stalled = True

    def cut(self) -> None:
        """Reset all existing connections. New connections work."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            pair.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refuse:
                client.close()
                continue
            try:
                server = self._connect()
            except OSError:
                client.close()
                continue
            pair = _Pair(client, server, stalled=self.stall_new)
            with self._lock:
                self._pairs.append(pair)
            for one, other in ((client, server), (server, client)):
                run = threading.Thread(
                    target=self._pump, args=(pair, one, other), daemon=True
                )
                run.start()

    def _connect(self) -> socket.socket:
        host, port = self._target
        if not host.startswith("/"):
            return socket.create_connection((host, port), timeout=None)
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    def _pump(self, pair: _Pair, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := one.recv(65536):
                if self.delay:
                    time.sleep(self.delay)
                if not pair.stalled:
                    other.sendall(part)
        # A firewall that has forgotten a connection does not pass on its end either.
        if not pair.stalled:
            pair.close()


class _Pair:
    def __init__(
        self, client: socket.socket, server: socket.socket, *, stalled: bool
    ) -> None:
        self.stalled = stalled
        self.closed = False
        self._sockets = client, server

    def close(self) -> None:
        self.closed = True
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            # Wake up recv() in the other thread.
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
