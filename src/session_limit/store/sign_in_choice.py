"""Decide whether a person must confirm a sign-in, and read the person's choice."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth import BACKEND_SESSION_KEY, SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from session_limit.client import request_kind
from session_limit.client.url_credentials import (
    carries_credentials,
    posts_credentials,
)
from session_limit.models import UserSession
from session_limit.pages import chooser, use_here
from session_limit.registry.pending import Choice
from session_limit.store.liveness import Row
from session_limit.store.state import SessionState
from session_limit.store.unstored_keys import identify_key
from session_limit.utils.clock import as_utc, utc_now

# A guest's account is made by the request that signs the guest in.
NEW_ACCOUNT = timedelta(minutes=1)


def must_be_chosen(state: SessionState) -> bool:
    """
    Return whether a person must first confirm this sign-in ("Use here instead").

    An automatic sign-in must be confirmed if the browser's session has ended.
    Otherwise, two such browsers would displace each other endlessly (ASVS 7.6.2), or a
    person would go on as somebody else without being told why. A sign-in is automatic

    - if a middleware makes it (``RemoteUser``);
    - if it happens in a frame or a script (silent single sign-on);
    - if a page signs in another account that is opened, or an account that it has just
      made (a guest's).

    A sign-in is a person's choice if a form makes it, if the person has chosen which
    session to end, or if the person opened an address that contains the credentials,
    such as a one-time link.
    """
    request = state.request
    if request is None or state.sign_in.choice is not None:
        return False
    is_by_view = request.resolver_match is not None
    is_safe = request.method in {"GET", "HEAD"}
    if is_by_view and not is_safe and not _may_be_guest(request):
        return False
    is_opened = is_safe and request_kind.is_opened_by_person(request)
    backend = request.session.get(BACKEND_SESSION_KEY)
    if is_opened and carries_credentials(request, backend):
        return False
    identify_key(state)
    ended_id = state.found.ended_id
    if ended_id is None or use_here.is_chosen(request, ended_id):
        return False
    # A script may fetch a page for a person, but also in silent single sign-on.
    is_navigation = request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
    is_persons = is_by_view and is_opened and is_navigation
    return not (is_persons and _is_same_user(request, ended_id))


def _may_be_guest(request: HttpRequest) -> bool:
    """
    Return whether a view may have made the account that signs in by a posted form.

    The account is new, and the form has none of the fields with which people sign up.
    """
    joined_at = getattr(getattr(request, "user", None), "date_joined", None)
    is_form = request.content_type != "application/json"
    if not isinstance(joined_at, datetime):
        return False
    is_new = utc_now() - as_utc(joined_at) < NEW_ACCOUNT
    return is_new and is_form and not posts_credentials(request)


def _is_same_user(request: HttpRequest, ended_id: UUID) -> bool:
    """Return whether ``request`` signs in the user of an ended session."""
    ended = UserSession.objects.primary().filter(pk=ended_id).first()
    user_id = request.session.get(SESSION_KEY)
    return ended is not None and Row.of(ended).belongs_to(user_id)


def choice_for(state: SessionState, user: AbstractBaseUser) -> Choice | None:
    """
    Return which sessions the person chose to end for this sign-in of ``user``.

    Return ``None`` if the person was not asked. If a middleware signs the user in
    before the view that receives the choice runs, read the choice from the posted form.
    """
    request, choice = state.request, state.sign_in.choice
    if request is None:
        return None
    if choice is None and request.resolver_match is None and request.method == "POST":
        choice = chooser.choice(request)
    is_theirs = choice is not None and choice.pending.user_id == user.pk
    state.sign_in.choice = choice if is_theirs else None
    return state.sign_in.choice
