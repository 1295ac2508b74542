"""The rules of a project: its answers per user. Subclass ``Rules`` to give others."""

from __future__ import annotations

import functools
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from django.utils import timezone
from django.utils.module_loading import import_string

from session_limit.client import describe
from session_limit.conf import conf
from session_limit.pages import links
from session_limit.utils.safe_redirects import local_address

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.http import HttpRequest

    from session_limit.models import UserSession
    from session_limit.policy import AtLimit

# Where an administrator is signed in as somebody else. Not where that ends: coming back
# is a sign-in like any other.
IMPERSONATION_VIEWS = frozenset(
    {"hijack.views.AcquireUserView", "loginas.views.user_login"}
)
# What both leave in the session for as long as that lasts.
IMPERSONATION_KEYS = ("hijack_history", "loginas_from_user")


class Rules:
    """
    What the settings say, for everybody.

    Name a subclass in ``SESSION_LIMIT_RULES``. One instance serves the process: keep
    no state on it. Most methods run while somebody signs in: answer from what the
    user object holds, or from one query.
    """

    def limit(self, user: AbstractBaseUser, scope: str) -> int | None:
        """
        Return how many live sessions ``user`` may have in ``scope``, at least 1, or
        ``None`` for no limit. A number in the account's ``AccountLimit`` row comes
        before this.
        """
        return conf.limit

    def at_limit(self, user: AbstractBaseUser, scope: str) -> AtLimit | str:
        """Return ``"displace"``, ``"deny"``, ``"ask"`` or ``"observe"``."""
        return conf.at_limit

    def scope(self, user: AbstractBaseUser, request: HttpRequest) -> str:
        """
        Return what this sign-in is counted with, at most 64 characters: ``""`` is
        the whole account. It is kept for as long as the session lives.
        """
        return ""

    def exempt(self, user: AbstractBaseUser, request: HttpRequest) -> bool:
        """
        Return whether this sign-in takes no place and displaces nobody. It is
        recorded all the same, so that it can be seen and ended. True for an
        administrator who signs in as somebody through django-hijack or
        django-loginas.
        """
        match = request.resolver_match
        if match is None:
            return False
        view = getattr(match.func, "view_class", match.func)
        views = view.__mro__ if isinstance(view, type) else (view,)
        names = (f"{view.__module__}.{view.__qualname__}" for view in views)
        return not IMPERSONATION_VIEWS.isdisjoint(names)

    def play_limit(self, user: AbstractBaseUser, scope: str) -> int | None:
        """
        Return how much ``user`` may play at once in ``scope``, at least 1, or ``None``
        for no limit. Asked where ``SESSION_LIMIT_PLAYS`` is set.
        """
        return conf.play_limit

    def play_at_limit(self, user: AbstractBaseUser, scope: str) -> AtLimit | str:
        """Return ``"displace"``, ``"deny"``, ``"ask"`` or ``"observe"``."""
        return conf.play_at_limit

    def play_scope(
        self, user: AbstractBaseUser, session: UserSession, what: str
    ) -> str:
        """
        Return what a play of ``what`` in ``session`` is counted with, at most 64
        characters: ``""`` is all that the account plays. A kind of content, say, or
        ``session.device_class``.
        """
        return ""

    def idle_timeout(self, user: AbstractBaseUser) -> timedelta | None:
        """Return after how long without activity a session expires, or ``None``."""
        return conf.idle_timeout

    def absolute_timeout(self, user: AbstractBaseUser) -> timedelta | None:
        """Return how long after its sign-in a session expires, or ``None``."""
        return conf.absolute_timeout

    def is_fresh(
        self, user: AbstractBaseUser, session: UserSession, request: HttpRequest
    ) -> bool:
        """
        Return whether ``user`` has given credentials lately enough to end others than
        ``session``, which is that of ``request``. Never true for an administrator who
        is signed in as ``user``: those credentials nobody has given.
        """
        if any(request.session.get(key) for key in IMPERSONATION_KEYS):
            return False
        age = timezone.now() - session.authenticated_at
        return age <= conf.reauthentication_age

    def reauthentication_url(
        self, user: AbstractBaseUser, request: HttpRequest, back: str
    ) -> str | None:
        """
        Return where credentials are given again if they are not fresh, which leads on
        to ``back``, or ``None`` to be asked for the password there and then. Without a
        usable password it is the sign-in page: to sign in again in the same browser
        takes no second place, and is fresh.
        """
        if user.has_usable_password():
            return None
        return links.sign_in_url(local_address(request, back))


class PerDeviceClass(Rules):
    """
    Each class of device (phone, tablet, computer, other) is counted by itself: with
    a limit of one, one phone and one computer. A device is what it says it is, so this
    is a convenience for honest people.
    """

    def scope(self, user: AbstractBaseUser, request: HttpRequest) -> str:
        """Return the class of the device."""
        return describe(request).device_class


def get_rules() -> Rules:
    """Return the instance of ``SESSION_LIMIT_RULES``, one in each process."""
    return _make_rules(conf.rules)


@functools.cache
def _make_rules(path: str) -> Rules:
    return cast("Rules", import_string(path)())
