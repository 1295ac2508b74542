"""Receive Django's signals for sign-ins, sign-outs and changes to users."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from typing import Any, NoReturn

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import got_request_exception
from django.db.models import Model
from django.db.models.signals import class_prepared, post_save, pre_delete
from django.http import HttpRequest

from session_limit import registry
from session_limit.exceptions import SessionLimitReached, TooLateToSignIn
from session_limit.models import EndReason, parse_uuid, registry_alias
from session_limit.pages import new_sign_in
from session_limit.registry import announcements
from session_limit.registry.admission import admit
from session_limit.registry.credentials import (
    note_password_changed,
    restore_last_login,
)
from session_limit.registry.ending import end_account, end_row
from session_limit.registry.outcomes import Admission
from session_limit.registry.pending import Choice, SessionChanges, unapplied_changes
from session_limit.registry.sign_ins import end_former
from session_limit.signals import session_started
from session_limit.store import database_conflicts, engines
from session_limit.store.guarded import GuardedSession
from session_limit.store.sign_in import sign_in_of
from session_limit.store.sign_in_choice import choice_for, must_be_chosen
from session_limit.store.state import Found, Refusal, SessionState, state_of
from session_limit.store.users import (
    OTHER_USER,
    as_users,
    is_active,
    is_of_users_family,
    is_user,
    leave_alone,
    make_anonymous,
    may_sign_in,
    names,
    users_family,
)
from session_limit.utils import auth_calls


def connect() -> None:
    """Connect the receivers of this module, after those of ``django.contrib.auth``."""
    uid = "session_limit.receivers."
    # sender=None would make Django load every object of every model to delete it.
    for model in users_family():
        connect_user_model(model)
    class_prepared.connect(model_prepared, dispatch_uid=uid + "model_prepared")
    user_logged_in.connect(signed_in, dispatch_uid=uid + "signed_in")
    user_logged_out.connect(signed_out, dispatch_uid=uid + "signed_out")
    got_request_exception.connect(request_failed, dispatch_uid=uid + "request_failed")
    session_started.connect(
        new_sign_in.mail_new_sign_in, dispatch_uid=uid + "mail_new_sign_in"
    )


def connect_user_model(model: type[Model]) -> None:
    """Connect the receivers for objects of ``model`` that are saved or deleted."""
    uid = "session_limit.receivers."
    post_save.connect(user_saved, sender=model, dispatch_uid=uid + "user_saved")
    pre_delete.connect(user_deleted, sender=model, dispatch_uid=uid + "user_deleted")


def model_prepared(sender: type[Model], **kwargs: Any) -> None:
    """Connect the receivers for a proxy of the user model that is defined late."""
    # Tests may name a user model that is not installed.
    with contextlib.suppress(ImproperlyConfigured):
        if is_of_users_family(sender):
            connect_user_model(sender)


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
    nothing if the session does not name ``user``: views that give out tokens send the
    signal, too. Leave a user alone who is not in the table of the user model.
    """
    session = _session(request)
    # This reads the data without marking the session as accessed.
    data = getattr(session, "_session_cache", {})
    if request is None or session is None or not names(data, user):
        return
    state = state_of(request)
    if not is_user(user):
        _leave_alone(user, session, state)
        return
    if state is not None and state.is_answered:
        _undo(user, request, session)
        raise TooLateToSignIn
    if state is not None and must_be_chosen(state):
        _refuse(user, request, session, None)
    choice = choice_for(state, user) if state is not None else None
    admission = _admit(user, request, state, choice)
    if admission.row is None:
        _refuse(user, request, session, admission)
    session.pop(engines.ENDED_ID, None)
    session.pop(OTHER_USER, None)
    if state is not None:
        state.admit(admission.row)
    if choice is not None:
        # Other code wrote this before the refusal (django-otp, allauth).
        session.update(unapplied_changes(choice.pending, session))


def _refuse(
    user: AbstractBaseUser,
    request: HttpRequest,
    session: SessionBase,
    admission: Admission | None,
) -> NoReturn:
    """Undo a sign-in, and raise ``SessionLimitReached``."""
    changes, state = _undo(user, request, session), state_of(request)
    if state is not None and changes is not None:
        # The response phase announces this refusal, outside any transaction of a view.
        state.refuse(Refusal(user, admission, changes))
    elif admission is not None:
        announcements.limit_reached(user, admission)
    raise SessionLimitReached


def _undo(
    user: AbstractBaseUser, request: HttpRequest, session: SessionBase
) -> SessionChanges | None:
    """Undo a sign-in, and return its changes if the middleware guards the session."""
    make_anonymous(request)
    if not isinstance(session, GuardedSession):
        engines.forget_user(session)
        return None
    last_login = session.session_limit_state.sign_in.last_login
    if last_login is not None:
        restore_last_login(user, last_login.at)
    return session.undo_login()


def _leave_alone(user: Model, session: SessionBase, state: SessionState | None) -> None:
    """Let a user sign in who is not in the table of the user model."""
    leave_alone(session, user)
    session.pop(engines.ID, None)
    session.pop(engines.ENDED_ID, None)
    if state is None:
        return
    if state.replaced is not None:
        end_former(state.replaced.former())
        state.sign_in.before_login = None
    if state.row is not None:
        # Without session hashes, login() does not tell two users with one key apart,
        # and keeps the stored session.
        end_row(state.row.id, EndReason.SIGNED_OUT)
    state.found = Found()


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
        key, replaced = state.presented_key, state.replaced
        sign_in = sign_in_of(user, request, presented_key=key, choice=choice)
        if replaced is not None:
            sign_in = replace(sign_in, former=replaced.former())
        return admit(sign_in)
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
    End the session if ``logout()`` sends the signal without the middleware.

    If the middleware guards the session, the session ends when ``logout()`` flushes it.
    Views that withdraw a token send the signal, too. The session then continues.
    """
    session = _session(request)
    if session is None or isinstance(session, GuardedSession):
        return
    id = parse_uuid(session.get(engines.ID))
    if id is not None and auth_calls.is_in(auth_calls.LOGOUT):
        registry.end([id], EndReason.SIGNED_OUT)


def user_saved(
    sender: object,
    instance: Model,
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
    has_new_password = getattr(instance, "_password", None) is not None
    if not has_new_password and is_active(instance):
        return
    for user in as_users(instance, using):
        if has_new_password:
            note_password_changed(user)
        if not is_active(instance) and not may_sign_in(user):
            registry.end_all(user, EndReason.ACCOUNT_DISABLED)


def user_deleted(sender: object, instance: Model, using: str, **kwargs: Any) -> None:
    """End the sessions of an account that is about to be deleted."""
    if using == registry_alias():
        for user in as_users(instance, using):
            end_account(user)
