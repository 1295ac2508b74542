"""
Decide which headers a response of this package takes from the response it replaces.

Other middleware may have added headers and cookies for CORS, security or tracing. The
package replaces only what describes the body.
"""

from __future__ import annotations

from django.conf import settings
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

# Headers that describe the body, the status or the caching of the replaced response.
_REPLACED = {
    "accept-ranges",
    "age",
    "allow",
    "cache-control",
    "digest",
    "etag",
    "expires",
    "last-modified",
    "location",
    "pragma",
    "refresh",
    "repr-digest",
    "retry-after",
    "trailer",
    "transfer-encoding",
    # Merged separately
    "vary",
    # A proxy sends the file of this name in place of the body.
    "x-accel-redirect",
    "x-lighttpd-send-file",
    "x-sendfile",
    # Caches obey these more than Cache-Control, so a cache would store a page that is
    # for one person.
    "edge-control",
    "surrogate-control",
    "x-accel-expires",
}
# Headers that tell htmx, Unpoly, Inertia, PJAX and Turbolinks what to do with the body.
_REPLACED_PREFIXES = (
    "content-",
    "hx-",
    "x-up-",
    "x-inertia",
    "x-pjax",
    "turbolinks-",
)
# These begin with "content-", but do not depend on the body. LocaleMiddleware writes
# the active language, which is also the language of the package's responses.
_KEPT = {
    "content-language",
    "content-security-policy",
    "content-security-policy-report-only",
}
# For these schemes, a browser opens a dialog that covers the page.
_DIALOGS = {"basic", "digest", "negotiate", "ntlm"}


def keep(answer: HttpResponseBase, response: HttpResponseBase) -> None:
    """
    Add the headers and cookies of ``response`` that ``answer`` lacks to ``answer``.

    ``answer`` replaces ``response``, so headers that describe the body are left out. So
    is the session's cookie, which only ``SessionMiddleware`` sets.
    """
    for name, value in response.headers.items():
        if name not in answer.headers and _is_kept(name.lower(), value):
            answer.headers[name] = value
    if "Vary" in response.headers:
        patch_vary_headers(answer, _names(response.headers["Vary"]))
    for name, morsel in response.cookies.items():
        if name not in answer.cookies and name != settings.SESSION_COOKIE_NAME:
            answer.cookies[name] = morsel


def _is_kept(name: str, value: str) -> bool:
    if name == "www-authenticate":
        return value.strip().partition(" ")[0].lower() not in _DIALOGS
    if name in _KEPT:
        return True
    # Each kind of cache may have such a header of its own (RFC 9213).
    is_replaced = name in _REPLACED or name.endswith("-cache-control")
    return not is_replaced and not name.startswith(_REPLACED_PREFIXES)


def _names(vary: str) -> list[str]:
    return [name.strip() for name in vary.split(",") if name.strip()]
