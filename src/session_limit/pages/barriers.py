"""
Recognize responses that keep an anonymous visitor out, and the sign-in pages they name.

A project may have several sign-in pages, and its public pages may redirect as well: to
a page that asks for the visitor's age, consent or language, and leads back afterwards.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.mixins import AccessMixin
from django.contrib.auth.views import LoginView
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch

from session_limit.pages import links
from session_limit.utils.class_based_views import match_at, view_of
from session_limit.utils.safe_redirects import absolute, is_return_field, local_address

logger = logging.getLogger("session_limit")

# Words in the path or the name of a sign-in page.
_SIGN_IN = re.compile(
    r"(?<![a-z])"
    r"([a-z]*login(page|form|view)?|(log|sign)[-_]?[io]n|auth|authenticat(e|ion)|sso"
    r"|oidc|saml2?)"
    r"(?![a-z])"
)
# Words in the paths of pages that ask a visitor for something else.
_OTHER_GATE = re.compile(
    r"(?<![a-z])("
    r"(age|adult|mature|consents?|cookies?|gdpr|ccpa|privacy|terms|tos|eula|legal)"
    r"[-_]?(gate|wall|check|verif(y|ication)|confirm(ation)?)?"
    r"|birth[-_]?(day|date)|(over|are[-_]you)[-_]?[0-9]{2}|[0-9]{2}[-_]?plus"
    r"|disclaimer|agreement|(set)?lang(uages?)?|i18n|locale|regions?|countr(y|ies)"
    r"|city|cities|location|store|currency|currencies|captcha|queue|waiting|maintenance"
    r")(?![a-z])"
)
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def is_barred(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Return whether ``response`` is a 401, a 403 or a redirect to a sign-in page."""
    is_denied = response.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
    return is_denied or sign_in_redirect(request, response) is not None


def sign_in_redirect(request: HttpRequest, response: HttpResponseBase) -> str | None:
    """
    Return the URL of the sign-in page to which ``response`` redirects.

    Return ``None`` for other responses. These pages are sign-in pages:

    - ``LOGIN_URL``, and the ``login_url`` of the decorator or class of the view;
    - a page of a ``LoginView``, and one whose path or name contains "login" or "sign
      in";
    - any page that is to lead back to ``request``, if the view has looked at the user,
      unless the page's path contains a word such as "age" or "consent".
    """
    location = response.headers.get("Location", "")
    if response.status_code not in links.REDIRECTS or not location:
        return None
    try:
        target = urlsplit(absolute(request, location))
    except ValueError:
        return None
    return location if _is_sign_in_page(request, target) else None


def sign_in_page_for(request: HttpRequest, response: HttpResponseBase) -> str:
    """
    Return the URL of the sign-in page to which an explanation page links.

    The explanation page replaces ``response``. If ``response`` redirects to a sign-in
    page on this site or on the host of ``LOGIN_URL``, return that URL with its query.
    Otherwise, return ``LOGIN_URL``. Never return a URL with a parameter that leads on
    to another site, which ``login_required`` adds for ``//evil.example/``.
    """
    location = sign_in_redirect(request, response)
    if location is None:
        return links.sign_in_url(request, links.return_url(request))
    target, page = urlsplit(location), urlsplit(links.sign_in_page() or "")
    is_known = local_address(request, absolute(request, location)) is not None or (
        target.netloc != "" and target[:2] == page[:2]
    )
    onward = [
        value
        for name, value in parse_qsl(target.query)
        if is_return_field(name) or value in _own_addresses(request)
    ]
    if is_known and all(local_address(request, url) for url in onward):
        return location
    return links.sign_in_url(request, links.return_url(request))


def _is_sign_in_page(request: HttpRequest, target: SplitResult) -> bool:
    place = _place(request, target.geturl())
    declared = {_place(request, url) for url in _declared_pages(request)}
    if place in declared:
        return True
    query = parse_qsl(target.query)
    leads_back = any(_is_own_address(request, value) for _name, value in query)
    host, path = place
    is_named = _is_named_so(path)
    is_asked = leads_back and _has_looked_at_user(request)
    is_asked = is_asked and not _OTHER_GATE.search(path.lower())
    if not host:
        return is_named or _is_served_so(request, path) or is_asked
    if is_named or host in {each for each, _path in declared}:
        return leads_back or REDIRECT_FIELD_NAME in dict(query)
    return is_asked


def _place(request: HttpRequest, url: str) -> tuple[str, str]:
    """Return the host and the path of ``url``. The host of this site is ``""``."""
    local = local_address(request, url)
    target = urlsplit(url if local is None else local)
    return target.netloc if local is None else "", target.path


def _declared_pages(request: HttpRequest) -> Iterator[str]:
    """Yield the URLs of ``LOGIN_URL`` and of the sign-in page that the view names."""
    page = links.sign_in_page()
    if page is not None:
        yield page
    match = request.resolver_match
    # user_passes_test() sets this attribute for LoginRequiredMiddleware.
    named = None if match is None else getattr(match.func, "login_url", None)
    try:
        view: Any = view_of(request)
        if isinstance(view, AccessMixin):
            named = view.get_login_url()
    except Exception:
        logger.exception("The sign-in page of a view is unknown.")
    if named:
        try:
            yield resolve_url(named)
        except NoReverseMatch:
            return


def _is_named_so(name: str) -> bool:
    return _SIGN_IN.search(_CAPITAL.sub("_", name).lower()) is not None


def _is_served_so(request: HttpRequest, path: str) -> bool:
    """Return whether the view at ``path`` is a ``LoginView``, or has such a name."""
    match = match_at(path, getattr(request, "urlconf", None))
    if match is None:
        return False
    view = getattr(match.func, "view_class", match.func)
    if isinstance(view, type) and issubclass(view, LoginView):
        return True
    names = (match.url_name, getattr(view, "__name__", None))
    return any(_is_named_so(name) for name in names if name)


def _own_addresses(request: HttpRequest) -> set[str]:
    return {request.path, request.get_full_path()}


def _is_own_address(request: HttpRequest, url: str) -> bool:
    own = _own_addresses(request)
    return url in own or local_address(request, url) in own


def _has_looked_at_user(request: HttpRequest) -> bool:
    """Return whether code has read ``request.user`` or called ``request.auser()``."""
    # django.contrib.auth.middleware sets these attributes.
    return not vars(request).keys().isdisjoint({"_cached_user", "_acached_user"})
