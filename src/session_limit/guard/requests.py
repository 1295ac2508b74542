"""What a connection asks for, as Django sees it."""

from __future__ import annotations

import functools
import io

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest

from session_limit import navigation
from session_limit.guard.asgi import Scope
from session_limit.identity import Identity, identify


def request_of(scope: Scope) -> ASGIRequest:
    """Return the request that opened a connection of any kind."""
    return ASGIRequest({**scope, "method": "GET"}, io.BytesIO())


def identify_connection(scope: Scope) -> Identity:
    """See ``identity.identify()``."""
    return identify(request_of(scope))


def is_at(scope: Scope, view_name: str, ending: str) -> bool:
    """
    Whether ``scope`` asks for the view with this name, at the address of ``reverse()``,
    which has this ``ending``; or for what is below that.
    """
    root_path, urlconf = scope.get("root_path", ""), settings.ROOT_URLCONF
    return any(
        _view_name(address, root_path, urlconf) == view_name
        for address in navigation.addresses_in(scope["path"], ending)
    )


@functools.lru_cache(maxsize=256)
def _view_name(path: str, root_path: str, urlconf: str) -> str:
    scope = {"method": "GET", "path": path, "root_path": root_path, "headers": []}
    return navigation.view_name_at(request_of(scope).path_info, urlconf)
