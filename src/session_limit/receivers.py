"""Receive Django's signals for sign-ins, sign-outs and changes to users."""

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
from session_limit.models import EndReason, parse_uuid, registry_alias
from session_limit.pages import new_sign_in
from session_limit.registry import announcements
from session_limit.registry.admission import admit
from session_limit.registry.credentials import note_password_changed
from session_limit.registry.ending import end_account
from session_limit.registry.outcomes import Admission
from session_limit.registry.pending import Choice, unapplied_changes
from session_limit.signals import session_started
from session_limit.store import csrf_tokens, database_conflicts, engines
from session_limit.store.guarded import GuardedSession
from session_limit.store.sign_in import sign_in_of
from session_limit.store.sign_in_choice import choice_for, must_be_chosen
from session_limit.store.state import Refusal, SessionState, state_of
from session_limit.store.users import make_anonymous, may_sign_in


def connect() -> None:
    """Connect the receivers of this module, after those of ``django.contrib.auth``."""
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
    # Do not test its truth value: an empty session is false from Django 6.1 on.
    session = getattr(request, "session", None)
    return session if isinstance(session, SessionBase) else None


def signed_in(
    sender: object, request: HttpRequest | None, user: AbstractBaseUser, **kwargs: Any
) -> None:
    """
    Admit a new sign-in, or undo the sign-in and raise ``SessionLimitReached``.

    Raise ``TooLateToSignIn`` if the middleware has already prepared the response. Do
    nothing if the request is ``None`` or has no session.
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
    if state is None or not must_be_chosen(state):
        choice = choice_for(state, user) if state is not None else None
        admission = _admit(user, request, state, choice)
        if admission.row is not None:
            session.pop(engines.ENDED_ID, None)
            if state is not None:
                state.admit(admission.row)
            if choice is not None:
                # Other code wrote this before the refusal (django-otp, allauth).
                session.update(unapplied_changes(choice.pending, session))
            return
    make_anonymous(request)
    if isinstance(session, GuardedSession):
        # The response phase announces this refusal, outside any transaction of a view.
        refusal = Refusal(user, admission, session.undo_login())
        session.session_limit_state.refuse(refusal)
        csrf_tokens.undo_rotation(request)
    else:
        engines.forget_user(session)
        if admission is not None:
            announcements.limit_reached(user, admission)
    raise SessionLimitReached


def _admit(
    user: AbstractBaseUser,
    request: HttpRequest,
    state: SessionState | None,
    choice: Choice | None,
) -> Admission:
    """Ask the registry to admit the sign-in, and return the registry's decision."""
    if state is None:
        return admit(sign_in_of(user, request))
    # The admission stores the session with a new id. If the state still had the former
    # row, saving would put the id of that row back, although that row may have ended.
    former, state.found = state.found, state.found._replace(row=None)
    try:
        key = state.presented_key
        return admit(sign_in_of(user, request, presented_key=key, choice=choice))
    except BaseException:
        state.found = former
        raise


def request_failed(
    sender: object, request: HttpRequest | None = None, **kwargs: Any
) -> None:
    """
    Record that a database conflict interrupted a sign-in in a middleware.

    Lock timeouts count as conflicts. For an error in a middleware, such as
    ``RemoteUserMiddleware``, Django sends this signal but does not call
    ``process_exception()``.
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
    """
    Record that ``logout()`` is about to flush the session.

    If the middleware does not guard the session, end the session immediately.
    """
    session, state = _session(request), state_of(request)
    if state is not None:
        state.signing_out = True
    elif session is not None:
        id = parse_uuid(session.get(engines.ID))
        if id is not None:
            registry.end([id], EndReason.SIGNED_OUT)


def user_saved(
    sender: object,
    instance: AbstractBaseUser,
    created: bool,
    using: str,
    raw: bool = False,
    **kwargs: Any,
) -> None:
    """Record a changed password, and end the sessions of a disabled account."""
    # A user in another database does not sign in to this site.
    if created or raw or using != registry_alias():
        return
    # set_password() sets this attribute until save() is done. An upgrade of the hash at
    # sign-in does not set it.
    if getattr(instance, "_password", None) is not None:
        note_password_changed(instance)
    if not instance.is_active and not may_sign_in(instance):
        registry.end_all(instance, EndReason.ACCOUNT_DISABLED)


def user_deleted(
    sender: object, instance: AbstractBaseUser, using: str, **kwargs: Any
) -> None:
    """End the sessions of an account that is about to be deleted."""
    if using == registry_alias():
        end_account(instance)
