"""Find the user of a session, and make a request anonymous."""

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
    """Return whether the session data names one of ``AUTHENTICATION_BACKENDS``."""
    return data.get(BACKEND_SESSION_KEY) in settings.AUTHENTICATION_BACKENDS


def user_of(data: SessionData) -> AbstractBaseUser | None:
    """
    Return the signed-in user according to the session data, or ``None`` if anonymous.

    Unlike ``auth.get_user()``, this function does not verify the authentication hash.
    """
    if not has_backend(data):
        return None
    id = get_user_model()._meta.pk.to_python(data[SESSION_KEY])
    backend = load_backend(data[BACKEND_SESSION_KEY])
    return cast("AbstractBaseUser | None", backend.get_user(id))


def lazy_user(id: Any) -> AbstractBaseUser:
    """Return a lazy object that loads the user with this primary key on first use."""
    users = get_user_model()._base_manager
    return cast("AbstractBaseUser", SimpleLazyObject(lambda: users.get(pk=id)))


def may_sign_in(user: AbstractBaseUser) -> bool:
    """
    Return whether any authentication backend accepts ``user``.

    Some backends, such as ``AllowAllUsersModelBackend``, accept inactive users.
    """
    # A backend that only grants permissions may have no get_user().
    getters = (getattr(backend, "get_user", None) for backend in get_backends())
    return any(get_user is not None and get_user(user.pk) for get_user in getters)


def make_anonymous(request: HttpRequest) -> None:
    """Replace ``request.user`` and ``request.auser`` with an anonymous user."""
    anonymous = AnonymousUser()

    async def auser() -> AnonymousUser:
        return anonymous

    for name, value in (("user", anonymous), ("auser", auser)):
        if hasattr(request, name):
            setattr(request, name, value)
