"""See ``benchmarks.contenders.floor``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.db import connection
from django.http import HttpRequest


class BareMiddleware:
    """Does nothing, sync and async alike."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        self.prepare(request)
        return self.get_response(request)

    def prepare(self, request: HttpRequest) -> None:
        pass


class ReadingMiddleware(BareMiddleware):
    """Has one row read, by its primary key, when the session is loaded."""

    def prepare(self, request: HttpRequest) -> None:
        session = request.session
        load = session.load

        def load_and_read() -> dict[str, Any]:
            data = load()
            with connection.cursor() as cursor:
                cursor.execute("SELECT id FROM django_migrations WHERE id = %s", [1])
                cursor.fetchone()
            return data

        session.load = load_and_read
        session.aload = sync_to_async(load_and_read)
