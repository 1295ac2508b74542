"""Notice that nothing serves the package's scripts and style sheets."""

from __future__ import annotations

import functools
import logging
import re

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.templatetags.static import static

logger = logging.getLogger("session_limit")

_FILE = re.compile(
    r"/session_limit/(clock|play|session_limit|shared|timeline|watch)"
    r"(?:\.\w+)?\.(css|js)$"
)


def static_url(name: str) -> str:
    """Return the URL of one of the package's static files, or ``""`` without one."""
    try:
        return static(f"session_limit/{name}") if settings.STATIC_URL else ""
    except (ImproperlyConfigured, ValueError):  # the project has not collected it
        return ""


def notice_unserved(request: HttpRequest) -> None:
    """
    Log an error, once per process, if ``request`` asks in vain for a static file.

    Call this function for a ``request`` that is answered with a 404.

    Another server usually serves static files. Django then receives no such request.
    """
    match = _FILE.search(request.path)
    if match is not None and static_url(".".join(match.groups())) == request.path:
        _log(request.path)


@functools.cache
def _log(path: str) -> None:
    logger.error(
        "Nothing serves the static files of session_limit: %s is not found. Its pages "
        "have no style, and open pages are not told that their session has ended. An "
        "ASGI or WSGI server serves no static files. Run collectstatic, and serve "
        "STATIC_ROOT with WhiteNoise or with the web server in front.",
        path,
    )
