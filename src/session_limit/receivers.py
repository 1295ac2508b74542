"""Django's own signals, handed to the registry: every way to sign in sends them."""

from __future__ import annotations

import sys
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.contrib.sessions.backends.base import SessionBase
from django.core.signals import got_request_exception
from django.db.models.signals import post_save, pre_delete
from django.http import HttpRequest

from session_limit import registry
from session_limit.exceptions import SessionLimitReached, TooLateToSignIn
from session_limit.models import UserSession, parse_uuid, registry_alias
from session_limit.pages import new_sign_in
from session_limit.signals import session_started
from session_limit.store import database_conflicts, engines
from session_limit.store.guarded import GuardedSession
from session_limit.store.state import Refusal, SessionState, state_of
from session_limit.store.users import make_anonymous, may_sign_in

Reason = UserSession.Reason


def connect() -> None:
    """Connect what is below. After ``django.contrib.auth`` has connected its own."""
    uid = "session_limit.receivers."
    user_logged_in.connect(signed_in, dispatch_uid=uid + "signed_in")
    user_logged_out.connect(signed_out, dispatch_uid=uid + "signed_out")
    got_request_exception.connect(request_failed, dispatch_uid=uid + "request_failed")
    session_started.connect(
        new_sign_in.mail_new_sign_in, dispatch_uid=uid + "mail_new_sign_in"
    )
    user_model = get_user_model()
    post_save.connect(user_saved, sender=user_model, dispatch_uid=uid + "user_saved")
    pre_delete.connect(
        user_deleted, sender=user_model, dispatch_uid=uid + "user_deleted"
    )


def _session(request: HttpRequest | None) -> SessionBase | None:
    # Not its truth: Django 6.1's sessions are false while empty.
    session = getattr(request, "session", None)
    return session if isinstance(session, SessionBase) else None


def signed_in(
    sender: object, request: HttpRequest | None, user: AbstractBaseUser, **kwargs: Any
) -> None:
    """
    Admit a sign-in, or undo it and raise ``SessionLimitReached``.

    Does nothing without a request, or if the request has no session. Raises
    ``TooLateToSignIn`` if the middleware has prepared the response.
    """
    session = _session(request)
    if request is None or session is None:
        return
    state = state_of(request)
    if state is not None and state.is_answered:
        make_anonymous(request)
        if isinstance(session, GuardedSession):
            session.undo_login()
        raise TooLateToSignIn
    admission = None
    if state is None or not state.must_be_chosen():
        choice = state.choice_for(user) if state is not None else None
        key = state.presented_key if state is not None else None
        admission = _admit(user, request, state, key, choice)
        if admission.row is not None:
            session.pop(engines.ENDED_ID, None)
            if state is not None:
                state.admit(admission.row)
            if choice is not None:
                # What other code had put in when it was refused (django-otp, allauth).
                session.update(registry.left_over(choice.pending, session))
            return
    make_anonymous(request)
    if isinstance(session, GuardedSession):
        # The answer tells of it, outside the transaction that a view may be in.
        session.session_limit_state.refuse(
            Refusal(user, admission, session.undo_login())
        )
    else:
        engines.forget_user(session)
        if admission is not None:
            registry.announce_limit_reached(user, admission)
    raise SessionLimitReached


def _admit(
    user: AbstractBaseUser,
    request: HttpRequest,
    state: SessionState | None,
    key: str | None,
    choice: registry.Choice | None,
) -> registry.Admission:
    """Call ``registry.admit()`` while the guard names no former row."""
    if state is None:
        return registry.admit(user, request, key, choice)
    # The admission stores the session under its new id. While the guard has the former
    # row, a save puts back the id of that one, which may have ended.
    former, state.row = state.row, None
    try:
        return registry.admit(user, request, key, choice)
    except BaseException:
        state.row = former
        raise


def request_failed(
    sender: object, request: HttpRequest | None = None, **kwargs: Any
) -> None:
    """
    Note that the database gave up on a sign-in in a middleware (``RemoteUser``). Django
    sends this while it handles the error, and asks no ``process_exception()`` first.
    """
    state = state_of(request)
    if (
        state is not None
        and request is not None
        and database_conflicts.concerns_us(request, sys.exc_info()[1])
    ):
        state.in_conflict = True


def signed_out(
    sender: object, request: HttpRequest | None, user: Any, **kwargs: Any
) -> None:
    """Say why the session that ``logout()`` is about to empty ends."""
    session, state = _session(request), state_of(request)
    if state is not None:
        state.signing_out = True
    elif session is not None:
        id = parse_uuid(session.get(engines.ID))
        if id is not None:
            registry.end([id], Reason.SIGNED_OUT)


def user_saved(
    sender: object,
    instance: AbstractBaseUser,
    created: bool,
    using: str,
    raw: bool = False,
    **kwargs: Any,
) -> None:
    """Note a changed password; end the sessions of an account that was disabled."""
    # A copy in another database is nobody who signs in here.
    if created or raw or using != registry_alias():
        return
    # Set by set_password() until save() is done, and not by the upgrade of a hash.
    if getattr(instance, "_password", None) is not None:
        registry.note_password_changed(instance)
    if not instance.is_active and not may_sign_in(instance):
        registry.end_all(instance, Reason.ACCOUNT_DISABLED)


def user_deleted(
    sender: object, instance: AbstractBaseUser, using: str, **kwargs: Any
) -> None:
    """End the sessions of an account that is being deleted, and its stored ones."""
    if using == registry_alias():
        registry.end_account(instance)
