"""
What a proxy asks before it serves something guarded: may whoever sent this cookie have
it? Nothing of the answer is remembered: each question reads the session and its row.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qs, quote
from uuid import UUID

from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, parse_cookie
from django.utils import timezone

from session_limit import payloads, registry, stored, verify
from session_limit.conf import conf
from session_limit.identity import identify, session_key_in
from session_limit.models import Play, session_id
from session_limit.state import guard_of
from session_limit.users import lazy_user
from session_limit.verify import Row

# Below its address, as some proxies append the path of what is guarded.
ENDING = "/gateway/"
# In place of the id of a play: whatever the session plays.
ANY = "any"

USER_HEADER, REASON_HEADER = "X-Session-Limit-User", "X-Session-Limit-Reason"

# In seconds: how often is looked, too, whether an account was disabled, or its password
# changed, past any request.
VERIFY = 60.0
MOST_VERIFIED = 50_000


class Question(NamedTuple):
    """
    Whether the session's ``key`` is a live one's; and that it plays, where ``play`` is
    the id of a play, or ``"any"``, or what cannot be one. ``renews`` its lease;
    ``is_activity``: it counts as the person's.
    """

    key: str
    play: str | None = None
    renews: bool = False
    is_activity: bool = False

    @property
    def writes(self) -> bool:
        """Whether more is done for it than reading."""
        return self.renews or self.is_activity


class Verdict(NamedTuple):
    """
    What a proxy is answered: 200, with whose session it is, or 401 (sign in) or 403
    (play), with a code and perhaps a reason.
    """

    status: HTTPStatus
    code: str
    user_id: str = ""
    reason: str = ""

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers of the answer."""
        if self.status is HTTPStatus.OK:
            # A header carries no more than a URL does.
            told = USER_HEADER, quote(self.user_id)
        else:
            told = REASON_HEADER, self.reason or self.code
        return [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(self.body))),
            ("Cache-Control", "no-store"),
            told,
        ]

    @property
    def body(self) -> bytes:
        """The answer's body: the same, for a client that it is passed on to."""
        said = {"version": payloads.VERSION, "code": self.code}
        if self.reason:
            said["reason"] = self.reason
        return b"" if self.status is HTTPStatus.OK else json.dumps(said).encode()


NOT_SIGNED_IN = Verdict(HTTPStatus.UNAUTHORIZED, "not_signed_in")
PLAY_REQUIRED = Verdict(HTTPStatus.FORBIDDEN, "play_required")
UNAVAILABLE = Verdict(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable")


def question(cookies: str, query: str) -> Question | None:
    """Return what is asked with a ``Cookie`` header; ``None``: nobody asks."""
    key = session_key_in(parse_cookie(cookies)) if cookies else None
    if key is None:
        return None
    if not query:
        return Question(key)
    given = {
        name: values[-1]
        for name, values in parse_qs(query, keep_blank_values=True).items()
    }
    return Question(
        key,
        given.get("play"),
        renews=given.get("renew") == "1",
        is_activity=given.get("activity") == "1",
    )


def judge(question: Question, request: Callable[[], HttpRequest]) -> Verdict:
    """
    Answer ``question``, which came with what ``request()`` makes: called only where one
    statement is not enough. Blocks. Raises what the store or the database raises.
    """
    row = None if question.is_activity else _read(question.key)
    if row is None:
        asked = request()
        who = identify(asked)
        if who.reason is not None:
            return Verdict(HTTPStatus.UNAUTHORIZED, "session_ended", reason=who.reason)
        guard = guard_of(asked)
        row = guard.row if guard is not None else None
        if row is None:
            return NOT_SIGNED_IN
        if question.is_activity:
            owner = lazy_user(row.user_id)
            registry.touch(row, asked.session, owner, is_saved=False)
    refusal = _stale(row) or _not_playing(row, question)
    return refusal or Verdict(HTTPStatus.OK, "live", user_id=str(row.user_id))


def _read(key: str) -> Row | None:
    """
    Return the row of the session with this key where it can be told at once that it is
    live; ``None`` where that takes more: a key that has just been rotated, a session
    from before the package was installed, an ending. Only ``identify()`` says no.
    """
    engine = cast("Any", stored.engine())
    is_plain_db = stored.is_plain_db(engine)
    using = verify.shares_alias(engine.get_model_class()) if is_plain_db else None
    if using is not None:
        found = verify.read_with_stored(key, engine.get_model_class(), using)
        if found is None:
            return None
        data, row = found
        identity = _Identity.of(_decoded(engine, data))
    else:
        identity = _identity_stored(key, engine)
        recorded = session_id(identity.id)
        row = verify.read(recorded) if recorded is not None else None
    if row is None or row.id.hex != identity.id or not row.is_live_of(identity.user):
        return None
    return None if row.is_due(timezone.now()) else row


class _Identity(NamedTuple):
    """What a session's data hold: the ``id`` of its row, and that of its ``user``."""

    id: str | None
    user: str | None

    @classmethod
    def of(cls, data: dict[str, Any]) -> _Identity:
        return cls(data.get(stored.ID), data.get(SESSION_KEY))


def _identity_stored(key: str, engine: Any) -> _Identity:
    if not stored.is_cookie(engine):
        session = engine(key)
        if stored.loads_alike(engine):
            session.decode = functools.partial(_decoded, engine)
        return _Identity.of(session.load())
    try:
        identity = _identity_in_cookie(key, engine)
    except LookupError:
        return _Identity(None, None)
    return _Identity(None, None) if stored.is_outdated(key) else identity


# What is signed holds the same for the same text: verified once, for a player sends it
# every few seconds. Whether that session is live it does not say.
_remembered = functools.lru_cache(maxsize=5_000)


@_remembered
def _decoded(engine: Any, data: str) -> dict[str, Any]:
    """Return what ``data`` hold, which the caller leaves as it is."""
    return cast("dict[str, Any]", engine().decode(data))


@_remembered
def _identity_in_cookie(cookie: str, engine: Any) -> _Identity:
    """Raises ``LookupError``, which is not remembered: anybody can make up a cookie."""
    data = engine(cookie).load()
    if not data:
        raise LookupError
    return _Identity.of(data)


_verified: dict[UUID, float] = {}


def _stale(row: Row) -> Verdict | None:
    """
    Return the refusal if the account was disabled or its password changed without a
    signal. Looks only once in ``VERIFY`` seconds for each session.
    """
    now = time.monotonic()
    if now - _verified.get(row.id, -VERIFY) < VERIFY:
        return None
    if len(_verified) >= MOST_VERIFIED:
        _verified.clear()
    standing = registry.standings([row.id], thorough=True)[row.id]
    if standing.is_live:
        _verified[row.id] = now
        return None
    if not standing.is_recorded:
        registry.record_endings([row.id])
    return Verdict(HTTPStatus.UNAUTHORIZED, "session_ended", reason=standing.reason)


def _not_playing(row: Row, question: Question) -> Verdict | None:
    """Return the refusal where a play is asked for that does not count."""
    if question.play is None:
        # What renews is a play: it was to be named.
        return PLAY_REQUIRED if question.renews else None
    if not conf.uses_plays():
        return Verdict(HTTPStatus.FORBIDDEN, "no_plays")
    if question.play == ANY:
        return None if verify.reads_any_play(row.user_id, row.id) else PLAY_REQUIRED
    id = session_id(question.play)
    ask = registry.renew_play if question.renews else verify.reads_play
    if id is not None and ask(id, row.id):
        return None
    play = registry.find_play(id, row.id) if id is not None else None
    return PLAY_REQUIRED if play is None else _over(play)


def _over(play: Play) -> Verdict:
    # Where nobody has ended it, its time was up.
    reason = play.ended_reason or Play.Reason.LAPSED
    return Verdict(HTTPStatus.FORBIDDEN, "play_ended", reason=reason)
