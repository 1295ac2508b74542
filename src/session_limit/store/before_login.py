"""Remember what a request had before ``login()``, to undo a refused sign-in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from session_limit.registry.sign_ins import FormerSession
from session_limit.store import engines
from session_limit.store.copies import Copy, copies

if TYPE_CHECKING:
    from django.contrib.sessions.backends.base import SessionBase
    from django.http import HttpRequest

    from session_limit.store.state import Found, SessionState

# What login() changes on the request, and the entries of request.META that it changes.
_ATTRIBUTES = ("user", "auser")
_META = ("CSRF_COOKIE", "CSRF_COOKIE_NEEDS_UPDATE")


@dataclass(frozen=True, slots=True, repr=False)
class BeforeLogin:
    """
    A browser's session, and the user and CSRF token of the request, before ``login()``.

    ``data`` and ``loaded`` are copies of the session's data before ``login()`` and when
    the session was loaded. If somebody else is signed in, ``login()`` flushes the
    session, and the other fields describe that session. It ends only when the new
    sign-in is admitted.
    """

    data: Mapping[str, Copy]
    loaded: Mapping[str, Copy]
    key: str | None
    modified: bool
    admitted: bool
    found: Found
    # Whether login() replaces the session of somebody else.
    replaces: bool
    attributes: Mapping[str, Any]
    meta: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        session: SessionBase,
        data: Mapping[str, Any],
        state: SessionState,
        *,
        replaces: bool,
    ) -> BeforeLogin:
        """Remember ``session``, its ``data`` and the request as they are now."""
        request = state.request
        loaded = {} if replaces else state.sign_in.loaded
        copied = copies(data, session)
        return cls(
            copied,
            {
                name: copied[name]
                if name in copied and data[name] is value
                else Copy(value, session)
                for name, value in loaded.items()
            },
            session.session_key,
            session.modified,
            state.sign_in.admitted,
            state.found,
            replaces,
            {} if request is None else _chosen(vars(request), _ATTRIBUTES),
            {} if request is None else _chosen(request.META, _META),
        )

    def former(self) -> FormerSession:
        """Return the session of somebody else that ``login()`` replaces."""
        row = self.found.row
        is_cookie = engines.is_cookie(engines.engine())
        return FormerSession(row and row.id, None if is_cookie else self.key)

    def began(self, name: str) -> bool:
        """Return whether ``login()`` began a session, whose id has this ``name``."""
        return self.replaces or name not in self.data

    def restore(self, request: HttpRequest) -> None:
        """Restore the user and the CSRF token of ``request``."""
        if self.replaces:
            for name, value in self.attributes.items():
                setattr(request, name, value)
        for name in _META:
            request.META.pop(name, None)
        request.META.update(self.meta)


def _chosen(values: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values}
