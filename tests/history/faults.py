"""Inject one fault after another, and record when each was over."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.history.history import Fault, Recorder
from tests.history.proxy import Proxy
from tests.history.servers import Server
from tests.history.services import PgBouncer, Redis, Service

# How long a fault lasts, and the pause before the next one, in seconds.
LASTS = 1.0, 6.0
BETWEEN = 1.5, 5.0
# Seconds that the package may wait for a database that does not answer, before it opens
# a new connection. A connection that stalls for ever excuses a delay of this length.
PACKAGE_WAITS = 2.0
# Seconds after which TCP has noticed at the latest that a partition has healed.
TCP_WAITS = 1.0
# Seconds between two looks at the clock, and how late the checker may be then.
TICK = 0.25
# The range in which the wall clock of a server is ahead, in seconds.
CLOCKS = -5.0, 65.0

# The servers whose delays a fault excuses, and for how many seconds after its end.
Outcome = tuple[tuple[int, ...], float]
Kind = Callable[[], Awaitable[Outcome]]


@dataclass(eq=False)
class Nemesis:
    """Inject faults. All choices come from ``random``."""

    servers: list[Server]
    database: Service
    broker: Redis | None
    bouncer: PgBouncer | None
    # The proxy between PgBouncer and PostgreSQL.
    behind_bouncer: Proxy | None
    recorder: Recorder
    random: random.Random

    def processes(self) -> list[Kind]:
        """Return the faults of processes and hosts, the simplest first."""
        found = [self.kill_server, self.restart_database]
        if self.broker is not None:
            found += [self.restart_broker]
        if self.bouncer is not None:
            found += [self.restart_bouncer]
        return [*found, self.pause_server, self.isolate_server]

    def connections(self) -> list[Kind]:
        """Return the faults of connections and clocks, the simplest first."""
        found = [
            self.forget_database,
            self.jump_clock,
            self.stall_database,
            self.cut_database,
            self.delay_database,
        ]
        if self.broker is not None:
            found += [self.stall_broker, self.forget_broker, self.cut_broker]
        if self.bouncer is not None:
            found += [self.stall_behind_bouncer]
        return [*found, self.stall_database_for_all]

    async def work(self, until: float) -> None:
        """Inject both sorts of faults in parallel. None begins after ``until``."""
        sorts = self.processes(), self.connections()
        await asyncio.gather(*(self._inject(kinds, until) for kinds in sorts))

    async def watch_machine(self) -> None:
        """
        Record when this machine itself is late, until cancelled.

        Everything runs on this machine, so a delay of a server at that time says little
        about the package.
        """
        while True:
            due = self.recorder.now() + TICK
            await asyncio.sleep(TICK)
            if (now := self.recorder.now()) > due + TICK:
                self.recorder.add(Fault("late_machine", self._all(), due, now, now))

    async def _inject(self, kinds: list[Kind], until: float) -> None:
        """Inject faults one by one: each kind once in order, then in random order."""
        while True:
            for fault in kinds:
                await asyncio.sleep(self.random.uniform(*BETWEEN))
                began = self.recorder.now()
                if began >= until:
                    return
                servers, wait = await fault()
                ended = self.recorder.now()
                name = fault.__name__
                self.recorder.add(Fault(name, servers, began, ended, ended + wait))
            self.random.shuffle(kinds)

    def _server(self) -> Server:
        return self.random.choice(self.servers)

    async def _last(self) -> None:
        await asyncio.sleep(self.random.uniform(*LASTS))

    # Processes. -----------------------------------------------------------------------

    async def kill_server(self) -> Outcome:
        server = self._server()
        server.kill()
        await asyncio.sleep(self.random.uniform(0.1, 2))
        server.begin()
        await asyncio.to_thread(server.wait)
        return (server.number,), 0

    async def pause_server(self) -> Outcome:
        server = self._server()
        server.pause()
        try:
            await self._last()
        finally:
            server.go_on()
        return (server.number,), TCP_WAITS

    async def restart_database(self) -> Outcome:
        await self._restart(self.database)
        return self._all(), 0

    async def restart_bouncer(self) -> Outcome:
        assert self.bouncer is not None
        await self._restart(self.bouncer)
        return self._all(), 0

    async def restart_broker(self) -> Outcome:
        # The sweep does not need the broker, so this excuses no delay.
        assert self.broker is not None
        await self._restart(self.broker)
        return (), 0

    async def _restart(self, service: Service) -> None:
        await asyncio.to_thread(service.stop)
        await asyncio.sleep(self.random.uniform(0.1, 3))
        await asyncio.to_thread(service.start)

    def _all(self) -> tuple[int, ...]:
        return tuple(server.number for server in self.servers)

    # The network. ---------------------------------------------------------------------

    async def isolate_server(self) -> Outcome:
        server = self._server()
        server.host.isolate()
        try:
            await self._last()
        finally:
            server.host.reconnect()
        return (server.number,), TCP_WAITS

    async def forget_database(self) -> Outcome:
        server = self._server()
        server.database.forget()
        return (server.number,), PACKAGE_WAITS

    async def stall_database(self) -> Outcome:
        server = self._server()
        await self._stall([server.database])
        return (server.number,), 0

    async def stall_database_for_all(self) -> Outcome:
        await self._stall([server.database for server in self.servers])
        return self._all(), 0

    async def _stall(self, proxies: list[Proxy]) -> None:
        for proxy in proxies:
            proxy.stall()
        try:
            await self._last()
        finally:
            for proxy in proxies:
                proxy.go_on()

    async def cut_database(self) -> Outcome:
        server = self._server()
        server.database.cut()
        return (server.number,), 0

    async def delay_database(self) -> Outcome:
        server = self._server()
        server.database.delay = self.random.uniform(0.01, 0.15)
        try:
            await self._last()
        finally:
            server.database.delay = 0
        return (server.number,), 0

    async def stall_behind_bouncer(self) -> Outcome:
        assert self.behind_bouncer is not None
        await self._stall([self.behind_bouncer])
        return self._all(), 0

    def _broker_of(self, server: Server) -> Proxy:
        assert server.broker is not None
        return server.broker

    async def stall_broker(self) -> Outcome:
        await self._stall([self._broker_of(self._server())])
        return (), 0

    async def forget_broker(self) -> Outcome:
        self._broker_of(self._server()).forget()
        return (), 0

    async def cut_broker(self) -> Outcome:
        self._broker_of(self._server()).cut()
        return (), 0

    # Clocks. --------------------------------------------------------------------------

    async def jump_clock(self) -> Outcome:
        self._server().set_clock(self.random.uniform(*CLOCKS))
        return (), 0
