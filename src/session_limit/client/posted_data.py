"""Read and check the form or JSON object that a client has posted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest, QueryDict
from django.views.decorators.debug import sensitive_variables


@sensitive_variables()
def posted(request: HttpRequest) -> Mapping[str, Any]:
    """Return the fields of a posted form or JSON object, or raise ``BadRequest``."""
    if request.content_type != "application/json":
        return form(request)
    try:
        data = json.loads(request.body or b"{}")
        _check_text(data)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise BadRequest("Send a JSON object.")
    return data


@sensitive_variables()
def form(request: HttpRequest) -> QueryDict:
    """
    Return the fields of a posted form.

    Raises ``BadRequest`` if the fields cannot be decoded with the request's encoding.
    """
    try:
        fields = request.POST
        _check_text(dict(fields.lists()))
    except (ValueError, LookupError) as error:
        raise BadRequest("Send a form in UTF-8.") from error
    return fields


@sensitive_variables()
def _check_text(data: object) -> None:
    """
    Raise ``UnicodeEncodeError`` if a string in ``data`` has an unpaired surrogate.

    No hash function, database or response accepts such strings. A client can send them
    in JSON, or in a form that is encoded in UTF-7.
    """
    json.dumps(data, ensure_ascii=False).encode()
