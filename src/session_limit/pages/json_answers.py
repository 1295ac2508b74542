"""
Build the JSON responses of this package.

Clients rely on the format in ``docs/reference/json.md``. A change that breaks clients
needs another ``VERSION``.
"""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.http import JsonResponse

from session_limit import registry
from session_limit.client.device import device_label
from session_limit.conf import conf
from session_limit.models import Play, UserSession
from session_limit.pages import chooser, links, play_messages, play_swap
from session_limit.pages.messages import Message
from session_limit.pages.next_steps import NextStep, next_steps
from session_limit.pages.overview import Overview
from session_limit.policy import AtLimit
from session_limit.registry.outcomes import Admission
from session_limit.registry.pending import LISTED, Rivals

VERSION = 1


def envelope(code: str | None = None, **fields: Any) -> dict[str, Any]:
    """Return a dictionary with the version, ``code`` (if given) and ``fields``."""
    head = {"version": VERSION} if code is None else {"version": VERSION, "code": code}
    return {**head, **fields}


def answer(
    code: str | None = None, *, status: HTTPStatus = HTTPStatus.OK, **fields: Any
) -> JsonResponse:
    """Return a JSON response with the version, ``code`` (if given) and ``fields``."""
    return JsonResponse(envelope(code, **fields), status=status)


def session_ended(message: Message, sign_in_url: str) -> JsonResponse:
    """Return the JSON response that explains why a session ended and what to do."""
    return JsonResponse(ended_fields(message, sign_in_url))


def ended_fields(message: Message, sign_in_url: str) -> dict[str, Any]:
    """Return the JSON fields that explain why a session ended and what to do."""
    return envelope(
        "session_ended",
        **_ending(message),
        sign_in_url=sign_in_url,
        actions=_actions(next_steps(message.steps, sign_in_url)),
    )


def sign_in_refused(message: Message, admission: Admission) -> JsonResponse:
    """Return the JSON response to a sign-in that the session limit refused."""
    return answer(
        "session_limit",
        detail=message.text,
        limit=admission.limit,
        **_rivals(admission.rivals),
    )


def question(message: Message, question: chooser.Question) -> JsonResponse:
    """Return the JSON response that asks the client which session to end."""
    return answer(
        "choose_session",
        detail=message.text,
        limit=question.limit,
        **_rivals(question.rivals),
        choice=chooser.code(question.secret),
        choose_url=links.url_of(links.CHOOSE_VIEW),
        expires_at=question.pending.expires_at,
    )


def _rivals(rivals: Rivals) -> dict[str, Any]:
    """Return the number and the list of ``rivals``, most recently active first."""
    return {
        "count": rivals.count,
        "sessions": [_rival(session) for session in rivals.listed[::-1]],
    }


def _rival(session: UserSession) -> dict[str, Any]:
    """Return a session's JSON fields for a person who is not signed in yet."""
    # Only the account's owner may see the IP address.
    return {
        "id": session.pk,
        "device": session.device and device_label(session.device),
        "device_class": session.device_class,
        "signed_in_at": session.created_at,
        "last_active_at": session.last_active_at,
    }


def _session(session: UserSession, current: UUID | None = None) -> dict[str, Any]:
    """
    Return a session's JSON fields for the account's owner.

    ``current`` is the id of the session from which the owner sends the request.
    """
    return {
        **_rival(session),
        "address": session.address,
        "is_current": session.pk == current,
        "is_new": session.is_new,
    }


def overview(
    overview: Overview, *, next_url: str | None, previous_url: str | None
) -> JsonResponse:
    """
    Return the JSON response with one page of the list of an account's sessions.

    The first page starts with the session of the request. ``next_url`` and
    ``previous_url`` are the URLs of the neighbouring pages, or ``None``.
    """
    current = overview.current.pk
    return answer(
        limit=overview.limit,
        in_use=overview.in_use,
        count=overview.count,
        next=next_url,
        previous=previous_url,
        retention_seconds=int(conf.retention.total_seconds()),
        sessions=[_session(row, current) for row in overview.sessions],
        ended=[
            {
                **_session(row),
                "ended_at": row.ended_at,
                "reason": row.ended_reason,
                "ended_by_you": row.was_ended_by_owner,
            }
            for row in overview.ended
        ],
    )


def playing(id: UUID) -> JsonResponse:
    """Return the JSON response with a playback's id, renewal interval and lease."""
    return JsonResponse(playing_fields(id))


def playing_fields(id: UUID) -> dict[str, Any]:
    """Return the JSON fields with a playback's id, renewal interval and lease."""
    lease = conf.play_lease.total_seconds()
    # Two renewals in a row may fail to arrive.
    interval = round(lease / 3, 3)
    return envelope("playing", play=str(id), interval=interval, lease=lease)


def play_refused(
    start: registry.PlayStart, sessions: dict[UUID, UserSession], current: UUID
) -> JsonResponse:
    """
    Return the JSON response that explains why a session may not start a playback.

    ``current`` is the id of that session. ``sessions`` maps ids to the sessions of the
    playbacks that fill the limit. If the policy is to ask and no cool-down is running,
    each of these playbacks has a code. The client can use the code to end that playback
    and start another.
    """
    is_here = all(row.session_id == current for row in start.rivals)
    message = play_messages.refused(start, is_here=is_here)
    wait = start.retry_after
    is_asked = start.at_limit is AtLimit.ASK and wait is None
    response = answer(
        "play_limit" if wait is None else "cooling_down",
        status=HTTPStatus.CONFLICT if wait is None else HTTPStatus.TOO_MANY_REQUESTS,
        heading=message.heading,
        detail=message.text,
        limit=start.limit,
        in_use=len(start.rivals),
        rivals=[
            _playing_rival(row, sessions.get(row.session_id), current, is_asked)
            for row in start.rivals[:LISTED]
        ],
        actions=_actions(next_steps(message.steps)),
        **({} if wait is None else {"retry_after": math.ceil(wait.total_seconds())}),
    )
    if wait is not None:
        response.headers["Retry-After"] = str(math.ceil(wait.total_seconds()))
    return response


def _playing_rival(
    play: Play, session: UserSession | None, current: UUID, is_asked: bool
) -> dict[str, Any]:
    return {
        "play": play.pk,
        "device": device_label(session.device) if session and session.device else "",
        "device_class": session.device_class if session is not None else "",
        "started_at": play.started_at,
        "is_here": play.session_id == current,
        "swap": play_swap.code(current, play.pk) if is_asked else None,
    }


def play_ended(message: Message) -> JsonResponse:
    """Return the 410 JSON response that explains why a playback has ended."""
    return answer(
        "play_ended",
        status=HTTPStatus.GONE,
        **_ending(message),
        actions=_actions(next_steps(message.steps)),
    )


def _ending(message: Message) -> dict[str, Any]:
    return {
        "reason": message.reason,
        "heading": message.heading,
        "detail": message.text,
        "ended_at": message.ended_at,
        "device_class": message.device_class,
    }


def _actions(steps: list[NextStep]) -> list[dict[str, Any]]:
    return [{"step": each.kind, "label": each.label, "url": each.url} for each in steps]
