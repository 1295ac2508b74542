"""
What a proxy asks before it serves something guarded: may whoever sent this cookie have
it? Nothing of the answer is remembered: each question reads the session and its row.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from hashlib import blake2b
from http import HTTPStatus
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qsl, quote
from uuid import UUID

from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest
from django.utils import timezone

from session_limit import registry
from session_limit.conf import conf
from session_limit.models import Play, parse_uuid
from session_limit.pages import json_answers
from session_limit.store import engines, queries
from session_limit.store.identification import identify, remember, session_key_in_header
from session_limit.store.queries import Row
from session_limit.store.state import state_of
from session_limit.store.users import lazy_user
from session_limit.utils.log_once import RateLimitedLog
from session_limit.utils.lru import LRU

# In place of the id of a play: whatever the session plays.
ANY = "any"
# Parameters that are 1 or 0.
SWITCHES = {"renew", "activity"}
# What follows is the path and the query of the guarded request.
_GUARDED = re.compile(r"(?:^|&)of=")

USER_HEADER, REASON_HEADER = "X-Session-Limit-User", "X-Session-Limit-Reason"

# In seconds: how often is looked, too, whether an account was disabled, or its password
# changed, past any request.
VERIFY = 60.0
MAX_VERIFIED = 50_000


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

    @property
    def without_writes(self) -> Question:
        """Return the same question without its writes (``renew``, ``activity``)."""
        return self._replace(renews=False, is_activity=False)


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
            *self._retry,
        ]

    @property
    def _retry(self) -> list[tuple[str, str]]:
        is_unavailable = self.status is HTTPStatus.SERVICE_UNAVAILABLE
        return [("Retry-After", "1")] if is_unavailable else []

    @property
    def body(self) -> bytes:
        """The answer's body: the same, for a client that it is passed on to."""
        reason = {"reason": self.reason} if self.reason else {}
        said = json_answers.envelope(self.code, **reason)
        return b"" if self.status is HTTPStatus.OK else json.dumps(said).encode()


NOT_SIGNED_IN = Verdict(HTTPStatus.UNAUTHORIZED, "not_signed_in")
PLAY_REQUIRED = Verdict(HTTPStatus.FORBIDDEN, "play_required")
UNKNOWN_PARAMETER = Verdict(HTTPStatus.FORBIDDEN, "unknown_parameter")
FAILURE = RateLimitedLog("The gateway could not identify a session, and answered 503.")
UNAVAILABLE = Verdict(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable")


def question(cookies: str, query: str, *, is_below: bool = False) -> Question | Verdict:
    """
    Return what a proxy asks with a ``Cookie`` header and a query, or the refusal if
    that takes no look at a session.

    ``is_below`` says that a path follows the gateway's address. See ``_parameters()``.
    """
    given = _parameters(query, is_below=is_below) if query else {}
    if given is None:
        return UNKNOWN_PARAMETER
    key = session_key_in_header(cookies)
    if key is None:
        return NOT_SIGNED_IN
    return Question(
        key,
        given.get("play"),
        renews=given.get("renew") == "1",
        is_activity=given.get("activity") == "1",
    )


def _parameters(query: str, *, is_below: bool) -> dict[str, str] | None:
    """
    Return the gateway's parameters in ``query``; ``None`` if one of them is unknown,
    repeated, or has a value that it cannot have, since a misspelt question must not be
    answered as if it had not been asked.

    Envoy appends the guarded path and its query to the address. If its prefix ends in
    ``of=``, whatever follows is the guarded request's, and is ignored. If the path
    continues below the gateway's address, the whole query may be the guarded request's:
    then unknown parameters are ignored, and known ones count, which can only narrow the
    question or do what the client may do anyway.
    """
    own = _GUARDED.split(query, maxsplit=1)[0]
    given: dict[str, str] = {}
    for name, value in parse_qsl(own, keep_blank_values=True):
        is_valid = name == "play" or (name in SWITCHES and value in {"0", "1"})
        if is_valid and name not in given:
            given[name] = value
        elif not is_below:
            return None
    return given


def judge(question: Question, request: Callable[[], HttpRequest]) -> Verdict:
    """
    Answer ``question``, which came with what ``request()`` makes: called only where one
    statement is not enough. Blocks. Raises what the store or the database raises.
    """
    row = None if question.is_activity else _read(question.key)
    if row is not None:
        remember(question.key, is_live=True)
    else:
        asked = request()
        who = identify(asked)
        if who.reason is not None:
            return Verdict(HTTPStatus.UNAUTHORIZED, "session_ended", reason=who.reason)
        state = state_of(asked)
        row = state.row if state is not None else None
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
    engine = cast("Any", engines.engine())
    is_plain_db = engines.is_plain_db(engine)
    using = queries.shares_alias(engine.get_model_class()) if is_plain_db else None
    if using is not None:
        found = queries.read_with_stored(key, engine.get_model_class(), using)
        if found is None:
            return None
        data, row = found
        identity = _identity_in(engine, data, lambda: engine().decode(data))
    else:
        identity = _identity_stored(key, engine)
        recorded = parse_uuid(identity.id)
        row = queries.read(recorded) if recorded is not None else None
    if row is None or row.id.hex != identity.id or not row.is_live_of(identity.user):
        return None
    return None if row.is_due(timezone.now()) else row


class _Identity(NamedTuple):
    """What a session's data hold: the ``id`` of its row, and that of its ``user``."""

    id: str | None
    user: str | None

    @classmethod
    def of(cls, data: dict[str, Any]) -> _Identity:
        return cls(data.get(engines.ID), data.get(SESSION_KEY))


def _identity_stored(key: str, engine: Any) -> _Identity:
    if not engines.is_cookie(engine):
        return _Identity.of(engine(key).load())
    identity = _identity_in(engine, key, engine(key).load)
    # A remembered signature is valid, but the time in it may have become too old.
    is_outdated = identity.id is not None and engines.is_outdated(key)
    return _Identity(None, None) if is_outdated else identity


# The ids of the session and the user in signed data, by a digest of the data. A player
# sends the same cookie every few seconds, so its signature is verified once. This does
# not say whether the session is live. An entry has one size, whatever the session's.
_identities: LRU[tuple[Any, bytes], _Identity] = LRU(5_000)
# In characters. No primary key of a user is longer, so a longer id is not remembered.
LONGEST_ID = 100


def _identity_in(
    engine: Any, signed: str, load: Callable[[], dict[str, Any]]
) -> _Identity:
    """Return what ``signed`` data hold. ``load()`` verifies and decodes them."""
    digest = blake2b(signed.encode(errors="surrogatepass"), digest_size=32).digest()
    identity = _identities.get((engine, digest))
    if identity is None:
        identity = _Identity.of(load())
        # Remember nothing that a client can make as long as it likes.
        if all(isinstance(each, str) and len(each) <= LONGEST_ID for each in identity):
            _identities.put((engine, digest), identity)
    return identity


# When the sessions of these rows were last verified thoroughly.
_verified: LRU[UUID, float] = LRU(MAX_VERIFIED)


def _stale(row: Row) -> Verdict | None:
    """
    Return the refusal if the account was disabled or its password changed without a
    signal. Looks only once in ``VERIFY`` seconds for each session.
    """
    now, verified = time.monotonic(), _verified.get(row.id)
    if verified is not None and now - verified < VERIFY:
        return None
    standing = registry.standings([row.id], thorough=True)[row.id]
    if standing.is_live:
        _verified.put(row.id, now)
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
        return None if queries.reads_any_play(row.user_id, row.id) else PLAY_REQUIRED
    id = parse_uuid(question.play)
    ask = registry.renew_play if question.renews else queries.reads_play
    if id is not None and ask(id, row.id):
        return None
    play = registry.find_play(id, row.id) if id is not None else None
    return PLAY_REQUIRED if play is None else _over(play)


def _over(play: Play) -> Verdict:
    # Where nobody has ended it, its time was up.
    reason = play.ended_reason or Play.Reason.LAPSED
    return Verdict(HTTPStatus.FORBIDDEN, "play_ended", reason=reason)
