"""
Find where a sign-in leads that has to wait for a person's choice.

The view that was signing the person in did not get as far as its redirect, so the view
or its form is asked. The answer is stored with the pending sign-in. An address on
another site is stored with a signature, and only if the view's own rules allow it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.base_user import AbstractBaseUser
from django.core import signing
from django.http import HttpRequest

from session_limit.pages import links
from session_limit.rules import get_rules
from session_limit.utils.class_based_views import view_class_of, view_of
from session_limit.utils.safe_redirects import (
    absolute,
    is_return_field,
    local_address,
    outer_address,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User

logger = logging.getLogger("session_limit")

SALT = "session_limit.next"


def address_to_store(request: HttpRequest, user: AbstractBaseUser) -> str:
    """
    Return the address to open after the sign-in in ``request``, in a form to store.

    ``user`` is the user who signs in. Return ``""`` if no address is known. The
    project's ``Rules`` may change the address.
    """
    with _signed_in(request, user):
        found = _address(request)
        address = get_rules().after_sign_in(request, found)
        return _storable(request, str(address))


def stored_address(request: HttpRequest, stored: str) -> str:
    """
    Return the address that ``address_to_store()`` returned in the form ``stored``.

    The result is ``LOGIN_REDIRECT_URL`` if the address is unknown or not signed.
    """
    try:
        return str(signing.loads(stored, salt=SALT))
    except signing.BadSignature:
        return links.landing_page(request, stored)


def _address(request: HttpRequest) -> str:
    if request.resolver_match is None:
        # A middleware signs the person in, and then serves the requested page.
        is_chooser = links.is_to(request, links.url_of(links.CHOOSE_VIEW))
        return "" if is_chooser else links.return_url(request) or ""
    view_class = view_class_of(request)
    if not hasattr(view_class, "get_success_url"):
        return _of_form(request)
    # LoginView and its relatives look at the form themselves.
    looks_at_form = hasattr(view_class, "get_redirect_url")
    return (not looks_at_form and _of_form(request)) or _of_view(request)


def _of_view(request: HttpRequest) -> str:
    """Return the address to which a class-based view would redirect, or ``""``."""
    try:
        view: Any = view_of(request)
        url = str(view.get_success_url() or "")
        return url and absolute(request, url)
    except Exception:
        logger.exception("The view does not say where its sign-in leads.")
        return ""


def _of_form(request: HttpRequest) -> str:
    """Return the local address in a field of the form, or in the query, or ``""``."""
    sent = [*request.POST.items(), *request.GET.items()]
    named = [value for name, value in sent if name == REDIRECT_FIELD_NAME]
    others = [value for name, value in sent if is_return_field(name)]
    found = (local_address(request, str(value)) for value in [*named, *others])
    return next(filter(None, found), "")


def _storable(request: HttpRequest, url: str) -> str:
    local = local_address(request, url)
    if local is not None:
        return local
    outer = outer_address(request, url)
    return "" if outer is None else signing.dumps(outer, salt=SALT)


@contextmanager
def _signed_in(request: HttpRequest, user: AbstractBaseUser) -> Iterator[None]:
    """Show the code of the project the user for whom it chooses an address."""
    former = getattr(request, "user", None)
    request.user = cast("User", user)
    try:
        yield
    finally:
        request.user = cast("User", former)
