"""Define ``Rules``, which projects subclass to set limits and timeouts by user."""

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

# The views with which an administrator signs in as another user. The views that end the
# impersonation are not listed, because returning is a sign-in like any other.
IMPERSONATION_VIEWS = frozenset(
    {"hijack.views.AcquireUserView", "loginas.views.user_login"}
)
# The session keys that these packages set during an impersonation.
IMPERSONATION_KEYS = ("hijack_history", "loginas_from_user")


class Rules:
    """
    The limits and timeouts for each user, which by default come from the settings.

    Name a subclass in ``SESSION_LIMIT_RULES`` to change them. One instance serves the
    whole process, so it must keep no state. Most methods run during a sign-in, and some
    of them while the account's database row is locked, so answer from the user object
    or with a single query.
    """

    def limit(self, user: AbstractBaseUser, scope: str) -> int | None:
        """
        Return the maximum number of live sessions of ``user`` in ``scope`` (the group
        of sessions that are counted together), at least 1, or ``None`` for no limit. A
        number in the account's ``AccountLimit`` row takes precedence over this method.
        """
        return conf.limit

    def at_limit(self, user: AbstractBaseUser, scope: str) -> AtLimit | str:
        """
        Return how to treat a sign-in that would exceed the limit: ``"displace"`` ends
        older sessions, ``"deny"`` refuses the sign-in, ``"ask"`` lets the user choose
        which sessions to end, and ``"observe"`` only reports it.
        """
        return conf.at_limit

    def scope(self, user: AbstractBaseUser, request: HttpRequest) -> str:
        """
        Return the scope of this sign-in: a name, of at most 64 characters, for the
        group of sessions that are counted together. ``""`` is the group of all sessions
        of the account. A session keeps its scope.
        """
        return ""

    def exempt(self, user: AbstractBaseUser, request: HttpRequest) -> bool:
        """
        Return whether this sign-in is exempt from the limit, so that it is not counted
        and ends no other session.

        An exempt session is still recorded, so that it can be seen and ended. By
        default, only an administrator who signs in as another user through
        django-hijack or django-loginas is exempt.
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
        Return the maximum number of simultaneous plays (playbacks of limited content)
        of ``user`` in ``scope``, at least 1, or ``None`` for no limit. This method is
        called only if ``SESSION_LIMIT_PLAYS`` is set.
        """
        return conf.play_limit

    def play_at_limit(self, user: AbstractBaseUser, scope: str) -> AtLimit | str:
        """
        Return how to treat a play that would exceed the limit of simultaneous plays:
        ``"displace"``, ``"deny"``, ``"ask"`` or ``"observe"``, as in ``at_limit()``.
        """
        return conf.play_at_limit

    def play_scope(
        self, user: AbstractBaseUser, session: UserSession, what: str
    ) -> str:
        """
        Return the scope of a play: a name, of at most 64 characters, for the group of
        plays that are counted together.

        The name may be a kind of content or ``session.device_class``, for example.
        ``""`` is the group of all plays of the account. ``what`` is the project's name
        for the content that ``session`` starts to play.
        """
        return ""

    def idle_timeout(self, user: AbstractBaseUser) -> timedelta | None:
        """Return how long a session of ``user`` may be inactive, or ``None``."""
        return conf.idle_timeout

    def absolute_timeout(self, user: AbstractBaseUser) -> timedelta | None:
        """Return how long after sign-in a session of ``user`` expires, or ``None``."""
        return conf.absolute_timeout

    def is_fresh(
        self, user: AbstractBaseUser, session: UserSession, request: HttpRequest
    ) -> bool:
        """
        Return whether ``user`` has authenticated recently enough to end sessions other
        than ``session``, the session of ``request``.

        The answer is false for an administrator who is signed in as ``user``, because
        that user did not enter any credentials.
        """
        if any(request.session.get(key) for key in IMPERSONATION_KEYS):
            return False
        age = timezone.now() - session.authenticated_at
        return age <= conf.reauthentication_age

    def reauthentication_url(
        self, user: AbstractBaseUser, request: HttpRequest, back: str
    ) -> str | None:
        """
        Return the URL where the user must re-authenticate if ``is_fresh()`` is false,
        or ``None`` if the current page should ask for the password itself.

        The URL redirects to ``back`` afterwards. For a user without a usable password,
        it is the sign-in page: a second sign-in in the same browser is not counted
        again.
        """
        if user.has_usable_password():
            return None
        return links.sign_in_url(local_address(request, back))


class PerDeviceClass(Rules):
    """
    Rules that count each class of device (phone, tablet, computer, other) separately.

    A limit of one then allows one phone and one computer. The class is derived from
    what the client sends, so a dishonest client can choose it.
    """

    def scope(self, user: AbstractBaseUser, request: HttpRequest) -> str:
        """Return the class of the device that sent ``request``, as the scope."""
        return describe(request).device_class


def get_rules() -> Rules:
    """Return this process's only instance of the ``SESSION_LIMIT_RULES`` class."""
    return _make_rules(conf.rules)


@functools.cache
def _make_rules(path: str) -> Rules:
    return cast("Rules", import_string(path)())
