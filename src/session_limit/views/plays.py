"""JSON views that start, renew and stop the playback of limited content."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.core.exceptions import BadRequest
from django.http import JsonResponse
from django.http.response import HttpResponseBase

from session_limit import registry
from session_limit.client import posted_data
from session_limit.conf import conf
from session_limit.models import Play, UserSession
from session_limit.pages import endings, json_answers, play_swap
from session_limit.pages.json_answers import answer
from session_limit.request import GuardedRequest
from session_limit.views.base import OwnerView

# The maximum length, in characters, of the key that a client chooses for a play.
MAX_KEY_LENGTH = 64


class _PlayView(OwnerView):
    http_method_names = ["post"]
    wants_json = True

    def refusal(self) -> HttpResponseBase | None:
        """Refuse all requests with a 404 if ``SESSION_LIMIT_PLAYS`` is not set."""
        if not conf.uses_plays():
            return answer("no_plays", status=HTTPStatus.NOT_FOUND)
        return super().refusal()

    def ended(self, play: Play | None) -> JsonResponse:
        """Return a response that explains why ``play`` ended, or a 404 for ``None``."""
        if play is None:
            return answer("not_found", status=HTTPStatus.NOT_FOUND)
        return json_answers.play_ended(endings.ended_play(play))


class PlaysView(_PlayView):
    """The JSON view that starts the playback of limited content."""

    def post(self, request: GuardedRequest) -> JsonResponse:
        """
        Allow the client to play limited content, or return the reason for a refusal.

        All posted fields are optional. ``what`` names the content. ``key`` is a string
        chosen by the client, so that a retry does not start a second play. ``swap`` is
        a code from an earlier refusal that selects another play to end. ``resumes`` is
        true if the client starts the play automatically, without a user's request.
        """
        data = posted_data.posted(request)
        start = registry.play(
            self.current,
            _text(data, "what", longest=200),
            key=_text(data, "key") or None,
            swap=play_swap.play_to_end(data.get("swap"), self.row.id),
            resumes=_flag(data, "resumes"),
        )
        if start.is_too_late:
            return answer("not_signed_in", status=HTTPStatus.UNAUTHORIZED)
        if start.play is None:
            ids = {row.session_id for row in start.rivals}
            sessions = UserSession.objects.primary().in_bulk(ids)
            return json_answers.play_refused(start, sessions, self.row.id)
        if start.play.ended_at is not None:
            return self.ended(start.play)
        return json_answers.playing(start.play.pk)


class RenewView(_PlayView):
    """The JSON view that clients call repeatedly to keep a play from expiring."""

    def post(self, request: GuardedRequest, id: UUID) -> JsonResponse:
        """Extend the play and return the renewal interval, or why the play ended."""
        if registry.renew_play(id, self.row.id):
            return json_answers.playing(id)
        return self.ended(registry.find_play(id, self.row.id))


class StopView(_PlayView):
    """The JSON view that stops the playback of limited content."""

    def post(self, request: GuardedRequest, id: UUID | None = None) -> JsonResponse:
        """
        Stop the play ``id``. Without an id, stop the play with the posted ``key``.

        A client that has not yet received the play's id knows only the key. The
        response is the same if the play does not exist or has already been stopped.
        """
        if id is not None:
            registry.stop_play(id, self.row.id)
            return answer("stopped")
        key = _text(posted_data.posted(request), "key")
        if not key:
            raise BadRequest("key names the start that is to be stopped.")
        registry.stop_start(self.current, key)
        return answer("stopped")


def _text(data: Any, name: str, *, longest: int = MAX_KEY_LENGTH) -> str:
    """
    Return the value of the posted field ``name``, or ``""`` if it was not posted.

    Raises ``BadRequest`` if the value is not a string, is longer than ``longest``
    characters, or contains a NUL character, which PostgreSQL cannot store.
    """
    value = data.get(name, "")
    if not isinstance(value, str) or len(value) > longest or "\0" in value:
        raise BadRequest(f"{name} is a text of at most {longest} characters.")
    return value


def _flag(data: Any, name: str) -> bool:
    """Return a posted boolean field. Raises ``BadRequest`` if the value is invalid."""
    value = data.get(name, False)
    if value in ("true", "false"):
        return bool(value == "true")
    if isinstance(value, bool):
        return value
    raise BadRequest(f"{name} is true or false.")
