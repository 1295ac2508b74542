"""How the pages of people's own answer in JSON."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import JsonResponse

from session_limit.pages import json_answers


def answer(status: HTTPStatus = HTTPStatus.OK, **said: Any) -> JsonResponse:
    """Return what is ``said``, with the version that it is said in."""
    return JsonResponse({"version": json_answers.VERSION, **said}, status=status)
