"""
Find the user of a session, and make a request anonymous.

A user model need not derive from ``AbstractBaseUser``. These functions demand no more
of a user than ``login()`` and ``get_user()`` do.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator, Mapping
from typing import Any, cast

from django.apps import apps
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
from django.db.models import Model
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

logger = logging.getLogger("session_limit")

SessionData = Mapping[str, Any] | SessionBase

# Under this key, the session of a user outside the user model names that user.
OTHER_USER = "_session_limit_other_user"


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


def names(data: SessionData, user: object) -> bool:
    """Return whether the session data name ``user`` as ``login()`` writes it."""
    meta = getattr(user, "_meta", None)
    return meta is not None and data.get(SESSION_KEY) == meta.pk.value_to_string(user)


def is_user(user: object) -> bool:
    """
    Return whether ``user`` is in the table of the user model.

    A backend may sign in users from another table. Such a user may have the primary key
    of a user in the user model.
    """
    return isinstance(user, _concrete())


def leave_alone(data: dict[str, Any] | SessionBase, user: Model) -> None:
    """
    Mark the session as that of a user outside the user model.

    Later requests then need not load the user to find out.
    """
    data[OTHER_USER] = _named(data)
    _log_other(type(user))


def is_left_alone(data: SessionData) -> bool:
    """Return whether the session is marked as that of a user outside the user model."""
    return data.get(OTHER_USER) == _named(data) is not None


def _named(data: SessionData) -> list[str] | None:
    user, backend = data.get(SESSION_KEY), data.get(BACKEND_SESSION_KEY)
    return None if user is None or backend is None else [user, backend]


@functools.cache
def _log_other(model: type) -> None:
    logger.warning(
        "A %s.%s signed in, which is not in the user model's table. Sessions of such "
        "users are neither limited nor recorded.",
        model.__module__,
        model.__qualname__,
    )


def _concrete() -> type[Model]:
    return cast("type[Model]", get_user_model()._meta.concrete_model)


def is_of_users_family(model: type[Model]) -> bool:
    """
    Return whether saving or deleting an instance of ``model`` may concern a user.

    This is true for the user model, its proxies, the models that inherit its table, and
    the models whose table the user model inherits.
    """
    user_model, own = _concrete(), model._meta.concrete_model
    return own is not None and (
        issubclass(own, user_model) or issubclass(user_model, own)
    )


def users_family() -> Iterator[type[Model]]:
    """Return the installed models whose instances may be users."""
    return filter(is_of_users_family, apps.get_models())


def as_users(instance: Model, using: str) -> list[AbstractBaseUser]:
    """
    Return the user to whom a saved instance of the user model's family belongs.

    The result is empty if a model whose table the user model inherits was saved, and
    the instance is no user.
    """
    user_model, pk = get_user_model(), get_user_model()._meta.pk
    if isinstance(instance, _concrete()):
        id = getattr(instance, pk.attname)
        if id == instance.pk:
            return [cast("AbstractBaseUser", instance)]
        # This child of the user model has a primary key of its own.
        return [user_model.from_db(using, [pk.attname], [id])]
    parent = cast("type[Model]", instance._meta.concrete_model)
    link = user_model._meta.get_ancestor_link(parent)
    if link is None:
        return []
    users = user_model._base_manager.using(using)
    return list(users.filter(**{link.name: instance.pk}))


def may_sign_in(user: AbstractBaseUser) -> bool:
    """
    Return whether any authentication backend accepts ``user``.

    Some backends, such as ``AllowAllUsersModelBackend``, accept inactive users.
    """
    # A backend that only grants permissions may have no get_user().
    getters = (getattr(backend, "get_user", None) for backend in get_backends())
    found = (get_user(user.pk) for get_user in getters if get_user is not None)
    # The backend of another table finds another person.
    return any(is_user(each) for each in found)


def is_active(user: object) -> bool:
    """Return whether ``user`` is active. A user without ``is_active`` is."""
    return bool(getattr(user, "is_active", True))


def session_hashes(user: object) -> list[str] | None:
    """
    Return the session hashes that Django accepts for ``user``, the current one first.

    Return ``None`` if the user model has no session hashes. ``get_user()`` then
    verifies none.
    """
    current = getattr(user, "get_session_auth_hash", None)
    if current is None:
        return None
    fallbacks = getattr(user, "get_session_auth_fallback_hash", tuple)
    return [current(), *fallbacks()]


def username_of(user: AbstractBaseUser) -> str:
    """Return the name with which ``user`` signs in."""
    return str(getattr(user, get_user_model().USERNAME_FIELD))


def email_field_of(user: object) -> str | None:
    """Return the name of the email field of a user or a user model, if any."""
    name = getattr(user, "get_email_field_name", None)
    return name() if name is not None else None


def email_of(user: object) -> str | None:
    """Return the email address of ``user``, or ``None`` if the model has none."""
    name = email_field_of(user)
    return getattr(user, name, None) if name is not None else None


def make_anonymous(request: HttpRequest) -> None:
    """Replace ``request.user`` and ``request.auser`` with an anonymous user."""
    anonymous = AnonymousUser()

    async def auser() -> AnonymousUser:
        return anonymous

    for name, value in (("user", anonymous), ("auser", auser)):
        if hasattr(request, name):
            setattr(request, name, value)
