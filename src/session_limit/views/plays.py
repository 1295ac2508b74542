"""Plays, in JSON alone: a player starts one, renews it, and stops it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect

from session_limit import registry
from session_limit.client import posted_data
from session_limit.conf import conf
from session_limit.models import Play, UserSession
from session_limit.pages import json_answers, play_swap
from session_limit.store.queries import Row
from session_limit.store.request import GuardedRequest
from session_limit.store.state import state_of
from session_limit.views.answer import answer

# Of a key that a client makes up.
MAX_KEY_LENGTH = 64


def _sessions() -> Any:
    return UserSession.objects.primary()


@method_decorator([never_cache, csrf_protect, login_not_required], name="dispatch")
class _PlayView(View):
    """For who is signed in by a session, whose ``row`` it is."""

    http_method_names = ["post"]
    request: GuardedRequest
    row: Row

    def dispatch(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Answer 404 where the project counts no plays, and 401 to nobody."""
        if not conf.uses_plays():
            return answer(HTTPStatus.NOT_FOUND, code="no_plays")
        # Asked first: it ends a session whose credentials were changed.
        is_signed_in = request.user.is_authenticated
        state = state_of(request)
        row = state.row if state is not None else None
        # Not somebody's who is shown another's account, or is known by a token.
        if not is_signed_in or row is None or row.user_id != request.user.pk:
            # Where its session has ended, the middleware says so in its place.
            return answer(HTTPStatus.UNAUTHORIZED, code="not_signed_in")
        self.row = row
        try:
            return super().dispatch(request, *args, **kwargs)
        except BadRequest as error:
            return answer(HTTPStatus.BAD_REQUEST, code="bad_request", detail=str(error))

    def over(self, play: Play | None) -> JsonResponse:
        """Answer that a play counts no more; ``None``: this session had no such one."""
        if play is None:
            return answer(HTTPStatus.NOT_FOUND, code="not_found")
        # A play that has lapsed stays open until another one needs its place.
        play.ended_reason = play.end_reason()
        play.ended_at = play.ended_at or play.lease_until
        newer = None
        if play.ended_by_play is not None:
            by = Play.objects.primary().filter(pk=play.ended_by_play)
            newer = _sessions().filter(pk__in=by.values("session_id")).first()
        return JsonResponse(json_answers.play_over(play, newer), status=HTTPStatus.GONE)


class PlaysView(_PlayView):
    """Starts a play."""

    def post(self, request: GuardedRequest) -> JsonResponse:
        """
        ``what`` names the content; ``key``, of the client's choice, makes a retry the
        same start; ``swap`` is a code that an earlier answer came with; ``resumes`` is
        true where nobody has asked for it just now.
        """
        data = posted_data.posted(request)
        what, key = _text(data, "what", longest=200), _text(data, "key")
        session = request.session_limit.current
        if session is None:
            return answer(HTTPStatus.UNAUTHORIZED, code="not_signed_in")
        start = registry.play(
            session,
            what,
            key=key or None,
            swap=play_swap.play_to_end(data.get("swap"), session.pk),
            resumes=_flag(data, "resumes"),
        )
        if start.is_too_late:
            return answer(HTTPStatus.UNAUTHORIZED, code="not_signed_in")
        if start.play is None:
            return self._refused(start)
        if start.play.ended_at is not None:
            return self.over(start.play)
        return JsonResponse(json_answers.playing(start.play.pk))

    def _refused(self, start: registry.PlayStart) -> JsonResponse:
        sessions = _sessions().in_bulk({row.session_id for row in start.rivals})
        said = json_answers.play_refused(start, sessions, self.row.id)
        if start.retry_after is None:
            return JsonResponse(said, status=HTTPStatus.CONFLICT)
        headers = {"Retry-After": str(said["retry_after"])}
        too_many = HTTPStatus.TOO_MANY_REQUESTS
        return JsonResponse(said, status=too_many, headers=headers)


class RenewView(_PlayView):
    """Renews a play: one indexed ``UPDATE``."""

    def post(self, request: GuardedRequest, id: UUID) -> JsonResponse:
        """Answer when to ask again, or why there is no need to."""
        if registry.renew_play(id, self.row.id):
            return JsonResponse(json_answers.playing(id))
        return self.over(registry.find_play(id, self.row.id))


class StopView(_PlayView):
    """Stops a play, and frees its place at once."""

    def post(self, request: GuardedRequest, id: UUID | None = None) -> JsonResponse:
        """
        Idempotent, and the same for what was never there. Without an ``id``, the one
        that is started under the posted ``key``: by who has not heard of it yet.
        """
        if id is not None:
            registry.stop_play(id, self.row.id)
            return answer(code="stopped")
        key = _text(posted_data.posted(request), "key")
        if not key:
            raise BadRequest("key names the start that is to be stopped.")
        session = request.session_limit.current
        if session is not None:
            registry.stop_start(session, key)
        return answer(code="stopped")


def _text(data: Any, name: str, *, longest: int = MAX_KEY_LENGTH) -> str:
    """Return the text ``name`` of what was posted. Raises ``BadRequest``."""
    value = data.get(name, "")
    # No database takes a NUL in a text.
    if not isinstance(value, str) or len(value) > longest or "\0" in value:
        raise BadRequest(f"{name} is a text of at most {longest} characters.")
    return value


def _flag(data: Any, name: str) -> bool:
    """Return whether ``name`` is so, in JSON or in a form. Raises ``BadRequest``."""
    value = data.get(name, False)
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise BadRequest(f"{name} is true or false.")
