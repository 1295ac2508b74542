"""Keep the listeners of the sessions that have an open connection."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from uuid import UUID

from session_limit.store import tenants

# The hub calls a listener in its event loop. It passes the reason when the session has
# ended, and ``None`` when one of the plays of a live session may have ended.
Listener = Callable[[str | None], None]


class Listeners(dict[UUID, set[Listener]]):
    """
    The listeners of each session that has an open connection, by session id.

    Also keeps the tenant of each session. Session ids are unique across tenants, so
    messages on the bus name no tenant.
    """

    def __init__(self) -> None:
        super().__init__()
        # Empty in a project without tenants.
        self._tenants: dict[UUID, Hashable] = {}

    def join(self, id: UUID, listener: Listener, tenant: Hashable | None) -> None:
        """Add a ``listener`` of the session with the given ``id`` in ``tenant``."""
        self.setdefault(id, set()).add(listener)
        if tenant is not None:
            self._tenants[id] = tenant

    def leave(self, id: UUID, listener: Listener) -> None:
        """Remove a ``listener`` of the session with the given ``id``."""
        listeners = self.get(id, set())
        listeners.discard(listener)
        if not listeners:
            self.remove(id)

    def remove(self, id: UUID) -> set[Listener]:
        """Remove and return all listeners of the session with the given ``id``."""
        self._tenants.pop(id, None)
        return self.pop(id, set())

    def by_tenant(
        self, ids: Collection[UUID]
    ) -> Mapping[Hashable | None, Collection[UUID]]:
        """
        Group session ids by the tenant whose tables hold the sessions.

        Without tenants, there is one group for ``None``. With tenants, sessions that no
        longer have an open connection are left out, because their tenant is unknown.
        """
        if not tenants.are_used():
            return {None: ids}
        groups: dict[Hashable | None, list[UUID]] = {}
        for id in ids:
            if id in self:
                groups.setdefault(self._tenants.get(id), []).append(id)
        return groups
