"""Whose a session is, and making a request nobody's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    SESSION_KEY,
    get_backends,
    get_user_model,
    load_backend,
)
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

SessionData = Mapping[str, Any] | SessionBase


def has_backend(data: SessionData) -> bool:
    """Whether session data name a backend that the project still has."""
    return data.get(BACKEND_SESSION_KEY) in settings.AUTHENTICATION_BACKENDS


def user_of(data: SessionData) -> AbstractBaseUser | None:
    """
    Return the user whom session data with these keys authenticate, their hash aside,
    as ``auth.get_user()`` finds it, or ``None``.
    """
    if not has_backend(data):
        return None
    id = get_user_model()._meta.pk.to_python(data[SESSION_KEY])
    backend = load_backend(data[BACKEND_SESSION_KEY])
    return cast("AbstractBaseUser | None", backend.get_user(id))


def lazy_user(id: Any) -> AbstractBaseUser:
    """Return the user with this primary key, who is read if anybody wants to know."""
    users = get_user_model()._base_manager
    return cast("AbstractBaseUser", SimpleLazyObject(lambda: users.get(pk=id)))


def may_sign_in(user: AbstractBaseUser) -> bool:
    """Whether a backend lets this inactive user in (``AllowAllUsersModelBackend``)."""
    # One that only grants permissions need not have it.
    getters = (getattr(backend, "get_user", None) for backend in get_backends())
    return any(get_user is not None and get_user(user.pk) for get_user in getters)


def make_anonymous(request: HttpRequest) -> None:
    """Make the request nobody's, whichever way it is asked."""
    anonymous = AnonymousUser()

    async def auser() -> AnonymousUser:
        return anonymous

    for name, value in (("user", anonymous), ("auser", auser)):
        if hasattr(request, name):
            setattr(request, name, value)
