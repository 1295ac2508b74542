from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.sessions.models import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse


class OneSessionPerUserMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            logged_in_user = request.user.logged_in_user
            stored = logged_in_user.session_key
            if stored and stored != request.session.session_key:
                Session.objects.get(session_key=stored).delete()
            logged_in_user.session_key = request.session.session_key
            logged_in_user.save()
        return self.get_response(request)
