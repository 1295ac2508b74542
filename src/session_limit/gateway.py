"""
Answer reverse proxies that ask whether a cookie belongs to a live session.

No answer is cached. Each question asks the database whether the session is live.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qsl, quote

from django.http import HttpRequest

from session_limit import live_keys, registry
from session_limit.conf import conf
from session_limit.models import parse_uuid
from session_limit.pages import json_answers
from session_limit.registry.activity import touch
from session_limit.store import play_queries, tenants
from session_limit.store.identification import identify, remember, session_key_in_header
from session_limit.store.liveness import Row
from session_limit.store.state import state_of
from session_limit.store.users import lazy_user
from session_limit.utils.log_once import RateLimitedLog

# The value of the parameter "play" that stands for any play of the session.
ANY = "any"
# The parameters with the values 1 and 0.
SWITCHES = {"renew", "activity"}
# The path and the query of the guarded request follow this parameter.
_GUARDED = re.compile(r"(?:^|&)of=")

USER_HEADER, REASON_HEADER = "X-Session-Limit-User", "X-Session-Limit-Reason"


class Question(NamedTuple):
    """
    A reverse proxy's question whether a session key belongs to a live session.

    ``play`` is the id of a playback that must also be active, ``"any"`` for any
    playback by the session, or ``None`` if no playback is required. The client may send
    an invalid id. If ``renews`` is true, the playback's lease is extended. If
    ``is_activity`` is true, the question counts as activity of the user.
    """

    key: str
    play: str | None = None
    renews: bool = False
    is_activity: bool = False

    @property
    def writes(self) -> bool:
        """Whether answering the proxy's question writes to the database."""
        return self.renews or self.is_activity

    @property
    def without_writes(self) -> Question:
        """The same question, asked without renewing a play or recording activity."""
        return self._replace(renews=False, is_activity=False)


class Verdict(NamedTuple):
    """
    The answer to a reverse proxy's question about a session.

    ``status`` is 200 (a live session), 401 (no live session), 403 (no active playback,
    or an invalid question) or 503 (an error). Status 200 comes with a ``user_id``.
    Every answer has a ``code``, and status 401 and 403 may come with a ``reason``.
    """

    status: HTTPStatus
    code: str
    user_id: str = ""
    reason: str = ""

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The HTTP headers of the answer, including ``Content-Length``."""
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(self.body))),
            ("Cache-Control", "no-store"),
        ]
        if self.status is HTTPStatus.OK:
            # Quote the id, because it may contain characters that are not allowed in a
            # header.
            return [*headers, (USER_HEADER, quote(self.user_id))]
        headers.append((REASON_HEADER, self.reason or self.code))
        if self.status is HTTPStatus.SERVICE_UNAVAILABLE:
            headers.append(("Retry-After", "1"))
        return headers

    @property
    def body(self) -> bytes:
        """The JSON body for the proxy's client. The body is empty for status 200."""
        if self.status is HTTPStatus.OK:
            return b""
        reason = {"reason": self.reason} if self.reason else {}
        return json.dumps(json_answers.envelope(self.code, **reason)).encode()


NOT_SIGNED_IN = Verdict(HTTPStatus.UNAUTHORIZED, "not_signed_in")
PLAY_REQUIRED = Verdict(HTTPStatus.FORBIDDEN, "play_required")
UNKNOWN_PARAMETER = Verdict(HTTPStatus.FORBIDDEN, "unknown_parameter")
FAILURE = RateLimitedLog("The gateway could not identify a session, and answered 503.")
UNAVAILABLE = Verdict(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable")


def question(cookies: str, query: str, *, is_below: bool = False) -> Question | Verdict:
    """
    Parse a ``Cookie`` header and a query string into a ``Question``.

    Return a ``Verdict`` instead if the request can be refused without reading a
    session. ``is_below`` is true if the requested path continues below the gateway's
    own address (see ``_parameters()``).
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
    Return the gateway's parameters in ``query``, or ``None`` if one is invalid.

    Unknown and repeated parameters are invalid. If the gateway ignored a misspelt
    parameter, it would answer a different question.

    Envoy appends the path and the query of the guarded request to the gateway's
    address. If the address ends in ``of=``, everything after ``of=`` is ignored. If
    ``is_below`` is true, the whole query may belong to the guarded request, so invalid
    parameters are ignored. Valid parameters still apply. They can only narrow the
    question, or do what the client may do anyway.
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
    Return the ``Verdict`` that answers a proxy's ``question``.

    This function blocks, and raises the errors of the session engine and the database.
    ``request`` is a function that returns the proxy's request, and is called only if
    one SQL statement is not enough to answer, or if requests have tenants.
    """
    if not tenants.are_used():
        return _judge(question, request)
    try:
        tenant = tenants.tenant_of(request())
    except tenants.NO_TENANT:
        return NOT_SIGNED_IN
    return tenants.run_in(tenant, _judge, question, request)


def _judge(question: Question, request: Callable[[], HttpRequest]) -> Verdict:
    if question.renews and not question.is_activity:
        verdict = _renew(question)
        if verdict is not None:
            return verdict
    row = None if question.is_activity else live_keys.find(question.key)
    if row is not None:
        remember(question.key, is_live=True)
    else:
        asked = request()
        who = identify(asked)
        if who.reason is not None:
            return Verdict(HTTPStatus.UNAUTHORIZED, "session_ended", reason=who.reason)
        state = state_of(asked)
        row = state.row if state is not None and who.id is not None else None
        if row is None:
            return NOT_SIGNED_IN
        if question.is_activity:
            user = lazy_user(row.user_id)
            touch(row, asked.session, user, is_saved=False)
    refusal = _refuse_account(row) or _refuse_play(row, question)
    return refusal or Verdict(HTTPStatus.OK, "live", user_id=str(row.user_id))


def _renew(question: Question) -> Verdict | None:
    """Renew a play with one statement, if that is enough to answer ``question``."""
    id = parse_uuid(question.play)
    if id is None or not conf.uses_plays():
        return None
    row = live_keys.renew(question.key, id)
    if row is None:
        return None
    remember(question.key, is_live=True)
    refusal = _refuse_account(row)
    return refusal or Verdict(HTTPStatus.OK, "live", user_id=str(row.user_id))


def _refuse_account(row: Row) -> Verdict | None:
    """
    Return a 401 ``Verdict`` if the account was disabled or its password was changed.

    Otherwise return ``None``. This check finds changes that sent no signal.
    """
    ended = live_keys.find_ended(row)
    if ended is None:
        return None
    return Verdict(HTTPStatus.UNAUTHORIZED, "session_ended", reason=ended.reason)


def _refuse_play(row: Row, question: Question) -> Verdict | None:
    """Return a 403 ``Verdict`` if a required play is not active, otherwise ``None``."""
    if question.play is None:
        # Nothing can be renewed without a play.
        return PLAY_REQUIRED if question.renews else None
    if not conf.uses_plays():
        return Verdict(HTTPStatus.FORBIDDEN, "no_plays")
    if question.play == ANY:
        return (
            None
            if play_queries.is_playing_anything(row.user_id, row.id)
            else PLAY_REQUIRED
        )
    id = parse_uuid(question.play)
    ask = registry.renew_play if question.renews else play_queries.is_playing
    if id is not None and ask(id, row.id):
        return None
    play = registry.find_play(id, row.id) if id is not None else None
    if play is None:
        return PLAY_REQUIRED
    return Verdict(HTTPStatus.FORBIDDEN, "play_ended", reason=play.end_reason())
