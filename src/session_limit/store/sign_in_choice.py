"""Decide whether a person must confirm a sign-in, and find what they chose to end."""

from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser

from session_limit.pages import chooser, use_here
from session_limit.registry.pending import Choice
from session_limit.store.state import SessionState
from session_limit.store.unstored_keys import identify_key


def must_be_chosen(state: SessionState) -> bool:
    """
    Return whether a person must confirm this sign-in first ("Use here instead").

    That is the case if the browser's session has ended and the sign-in is automatic:
    made by a middleware (``RemoteUser``), or in a frame or a script (silent single
    sign-on). Without the confirmation, two such browsers would displace each other
    endlessly (ASVS 7.6.2).
    """
    request = state.request
    if request is None:
        return False
    is_automatic = request.resolver_match is None or (
        request.method == "GET"
        and request.headers.get("Sec-Fetch-Dest", "document") != "document"
    )
    if not is_automatic:
        return False
    identify_key(state)
    ended_id = state.found.ended_id
    return ended_id is not None and not use_here.is_chosen(request, ended_id)


def choice_for(state: SessionState, user: AbstractBaseUser) -> Choice | None:
    """
    Return which sessions the person chose to end to make room for this sign-in of
    ``user``, or ``None`` if they were not asked.

    A middleware may sign the user in before the view of the chooser page has run. In
    that case, this function reads the choice from the posted form.
    """
    request, choice = state.request, state.sign_in.choice
    if request is None:
        return None
    if choice is None and request.resolver_match is None and request.method == "POST":
        choice = chooser.choice(request)
    is_theirs = choice is not None and choice.pending.user_id == user.pk
    state.sign_in.choice = choice if is_theirs else None
    return state.sign_in.choice
