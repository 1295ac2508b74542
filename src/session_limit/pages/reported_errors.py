"""
Explain an ended session inside a response that reports its errors in the body.

APIs in GraphQL and JSON-RPC answer a request without a user with the status 200. The
error in the body is the application's own, so the explanation is added beside it, where
the two specifications reserve a place for it.
"""

from __future__ import annotations

import json
from typing import Any, cast

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpResponse
from django.http.response import HttpResponseBase

_JSON = {"application/json", "application/graphql-response+json"}

# Section 7.1 of the GraphQL specification: a response has no other entries.
_GRAPHQL = {"data", "errors", "extensions"}
# The name of the explanation in GraphQL's "extensions"
_NAME = "session_limit"


def may_report(response: HttpResponseBase) -> bool:
    """Return whether ``explain()`` has something to add to ``response``."""
    return any(map(_reports, _results(_parsed(response))))


def explain(response: HttpResponseBase, fields: dict[str, Any]) -> None:
    """
    Add ``fields`` to every GraphQL or JSON-RPC error in the body of ``response``.

    GraphQL gets the fields in ``extensions.session_limit`` of the result, and JSON-RPC
    in ``error.data``. The application's data and errors stay as they are.
    """
    body = _parsed(response)
    for result in filter(_reports, _results(body)):
        if "jsonrpc" in result:
            result["error"]["data"] = fields
        else:
            result["extensions"] = {**(result.get("extensions") or {}), _NAME: fields}
    try:
        text = json.dumps(body, cls=DjangoJSONEncoder, allow_nan=False)
    except ValueError:
        return  # The application's numbers are beyond those of JSON.
    changed = cast("HttpResponse", response)
    changed.content = text.encode(changed.charset)
    del changed.headers["ETag"]
    if "Content-Length" in changed.headers:
        changed.headers["Content-Length"] = str(len(changed.content))


def _parsed(response: HttpResponseBase) -> Any:
    """Return the JSON in the body of ``response``, or ``None`` if there is none."""
    content_type = response.headers.get("Content-Type", "").partition(";")[0]
    if (
        content_type.strip() not in _JSON
        or not isinstance(response, HttpResponse)
        or b'"error' not in response.content
    ):
        return None
    try:
        return json.loads(response.content)
    except ValueError:  # also if the body is compressed
        return None


def _results(body: Any) -> list[Any]:
    """Return the results in ``body``, which is one result or a batch of results."""
    return body if isinstance(body, list) else [body]


def _reports(result: Any) -> bool:
    if not isinstance(result, dict):
        return False
    if "jsonrpc" in result:
        error = result.get("error")
        return isinstance(error, dict) and error.get("data") is None
    return (
        result.keys() <= _GRAPHQL
        and _are_errors(result.get("errors"))
        and isinstance(result.get("extensions") or {}, dict)
    )


def _are_errors(errors: Any) -> bool:
    return (
        isinstance(errors, list)
        and bool(errors)
        and all(
            isinstance(error, dict) and isinstance(error.get("message"), str)
            for error in errors
        )
    )
