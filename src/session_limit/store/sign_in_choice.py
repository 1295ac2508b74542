"""Decide whether a person must confirm a sign-in, and read the person's choice."""

from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser

from session_limit.pages import chooser, use_here
from session_limit.registry.pending import Choice
from session_limit.store.state import SessionState
from session_limit.store.unstored_keys import identify_key


def must_be_chosen(state: SessionState) -> bool:
    """
    Return whether a person must first confirm this sign-in ("Use here instead").

    An automatic sign-in must be confirmed if the browser's session has ended.
    Otherwise, two such browsers would displace each other endlessly (ASVS 7.6.2). A
    sign-in is automatic if a middleware makes it (``RemoteUser``), or if it happens in
    a frame or a script (silent single sign-on).
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
