"""Find connected sessions whose stored data was deleted by other code."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Hashable
from typing import TypeAlias
from uuid import UUID

from session_limit.asgi.database_threads import DatabaseThread
from session_limit.asgi.listeners import Listeners
from session_limit.registry import connected
from session_limit.store import tenants
from session_limit.utils.log_once import OutageLog

# Called with a tenant, or None without tenants, and the ids of its deleted sessions.
End: TypeAlias = Callable[[Hashable | None, set[UUID]], None]

# How many seconds pass between two looks at the session store, and how many sessions
# are looked for at once. Other code that deletes a session tells nobody, so an open
# connection notices the ending only by such a look.
LOOK = 30.0
AT_ONCE = 100


class StoreWatch:
    """
    Looks at regular intervals whether connected sessions are still stored.

    The session store has a thread of its own, so that a store that stalls delays no
    other check. If the store fails, no session ends.
    """

    def __init__(self, outage: OutageLog) -> None:
        self._thread = DatabaseThread()
        self._outage = outage

    async def run(self, listeners: Listeners, end: End) -> None:
        """Call ``end`` with connected sessions whose stored data was deleted."""
        while True:
            # Processes that start together do not all read at the same time.
            await asyncio.sleep(LOOK * random.uniform(0.8, 1.0))  # noqa: S311 no secret
            try:
                for tenant, ids in listeners.by_tenant(listeners.keys()).items():
                    await self._look(tenant, list(ids), end)
            except Exception as error:  # noqa: BLE001 logged, once
                self._outage.begin(error)

    async def _look(self, tenant: Hashable | None, ids: list[UUID], end: End) -> None:
        for start in range(0, len(ids), AT_ONCE):
            batch = ids[start : start + AT_ONCE]
            found = await self._thread.run(
                tenants.run_in, tenant, connected.deleted, batch
            )
            self._outage.end()
            if found:
                end(tenant, found)

    def close(self) -> None:
        """End the thread once it is idle. A new call starts a new thread."""
        self._thread.close()
