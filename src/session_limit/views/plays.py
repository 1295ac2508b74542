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
from session_limit.pages import endings, json_answers, play_swap
from session_limit.pages.json_answers import answer
from session_limit.store.queries import Row
from session_limit.store.request import GuardedRequest
from session_limit.store.state import state_of

# Of a key that a client makes up.
MAX_KEY_LENGTH = 64


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
            return answer("no_plays", status=HTTPStatus.NOT_FOUND)
        # Asked first: it ends a session whose credentials were changed.
        is_signed_in = request.user.is_authenticated
        state = state_of(request)
        row = state.row if state is not None else None
        # Not somebody's who is shown another's account, or is known by a token.
        if not is_signed_in or row is None or row.user_id != request.user.pk:
            # Where its session has ended, the middleware says so in its place.
            return answer("not_signed_in", status=HTTPStatus.UNAUTHORIZED)
        self.row = row
        try:
            return super().dispatch(request, *args, **kwargs)
        except BadRequest as error:
            bad = HTTPStatus.BAD_REQUEST
            return answer("bad_request", status=bad, detail=str(error))

    def over(self, play: Play | None) -> JsonResponse:
        """Answer that a play counts no more; ``None``: this session had no such one."""
        if play is None:
            return answer("not_found", status=HTTPStatus.NOT_FOUND)
        return json_answers.play_ended(endings.ended_play(play))


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
            return answer("not_signed_in", status=HTTPStatus.UNAUTHORIZED)
        start = registry.play(
            session,
            what,
            key=key or None,
            swap=play_swap.play_to_end(data.get("swap"), session.pk),
            resumes=_flag(data, "resumes"),
        )
        if start.is_gone:
            return answer("not_signed_in", status=HTTPStatus.UNAUTHORIZED)
        if start.play is None:
            return self._refused(start)
        if start.play.ended_at is not None:
            return self.over(start.play)
        return json_answers.playing(start.play.pk)

    def _refused(self, start: registry.PlayStart) -> JsonResponse:
        ids = {row.session_id for row in start.rivals}
        sessions = UserSession.objects.primary().in_bulk(ids)
        return json_answers.play_refused(start, sessions, self.row.id)


class RenewView(_PlayView):
    """Renews a play: one indexed ``UPDATE``."""

    def post(self, request: GuardedRequest, id: UUID) -> JsonResponse:
        """Answer when to ask again, or why there is no need to."""
        if registry.renew_play(id, self.row.id):
            return json_answers.playing(id)
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
            return answer("stopped")
        key = _text(posted_data.posted(request), "key")
        if not key:
            raise BadRequest("key names the start that is to be stopped.")
        session = request.session_limit.current
        if session is not None:
            registry.stop_start(session, key)
        return answer("stopped")


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
