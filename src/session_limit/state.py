"""What is known of one request's session, from its cookie to its response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from session_limit import choice, registry, stored, verify
from session_limit.verify import Row

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    A sign-in that was undone. ``admission`` says how it met the limit; ``None``: it
    happened by itself in a browser whose session has ended, and a person has to
    choose it first.
    """

    user: AbstractBaseUser
    admission: registry.Admission | None


class Guard:
    """
    What is known of one request's session.

    ``row``: its row, while it is live. ``ended``: it was presented and is over;
    ``ended_id``: the id of its tombstone. ``missing``: the presented key leads
    nowhere. ``overtaken``: it ended under this request. ``admitted``: it was signed
    in by this request. ``keep``: the cookie may yet be good. ``inert``: leave it, and
    what is stored, as they are.
    """

    def __init__(self, request: HttpRequest, presented_key: str | None) -> None:
        self.request = request
        self.presented_key = presented_key
        self.row: Row | None = None
        self.ended = False
        self.ended_id: UUID | None = None
        self.missing = False
        self.identified = False
        self.overtaken = False
        self.admitted = False
        self.inert = False
        self.keep = False
        self.signing_out = False
        self.refusal: Refusal | None = None
        self.next_key: str | None = None
        self.saved: tuple[str | None, bytes] | None = None

    def identify(self) -> None:
        """
        Find whose cookie this is where the store has nothing left under its key: by
        the key's digest, in one query, once.
        """
        if not self.missing or self.identified:
            return
        self.identified = True
        if stored.storable(self.presented_key) is None:
            return
        row = verify.read_by_digest(stored.digest(self.presented_key))
        if row is not None and row.ended_at is not None:
            self.ended, self.ended_id = True, row.id
        # A live one is left alone: a replica may lag, or a cache be away.
        self.keep = row is not None and row.ended_at is None

    def must_be_chosen(self) -> bool:
        """
        Whether this sign-in happens by itself, in a browser whose session has ended:
        two of those would displace each other for ever (ASVS 7.6.2). By itself: in a
        middleware (``RemoteUser``), or in a frame or a script (silent single sign-on).
        """
        request = self.request
        by_itself = request.resolver_match is None or (
            request.method == "GET"
            and request.headers.get("Sec-Fetch-Dest", "document") != "document"
        )
        if not by_itself:
            return False
        self.identify()
        return self.ended_id is not None and not choice.is_made(request, self.ended_id)

    def admit(self, row: Row) -> None:
        """Take note that a sign-in was admitted."""
        self.row, self.admitted, self.refusal = row, True, None
        self.ended, self.ended_id, self.missing = False, None, False
        self.overtaken = False

    def refuse(self, refusal: Refusal) -> None:
        """Take note that a sign-in was refused, and undone."""
        self.row, self.refusal = None, refusal
