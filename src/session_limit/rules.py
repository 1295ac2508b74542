"""Define ``Rules``, which projects subclass to set limits and timeouts per user."""

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
    The limits and timeouts of each user.

    By default, the values come from the settings. To change them, subclass this class
    and name the subclass in ``SESSION_LIMIT_RULES``. One instance serves the whole
    process, so it must keep no state. Most methods run during a sign-in, some while the
    account's database row is locked. A method should answer from the user object or
    with a single query.
    """

    def limit(self, user: AbstractBaseUser, scope: str) -> int | None:
        """
        Return the maximum number of live sessions of ``user`` in ``scope``.

        A scope is a group of sessions that are counted together. The maximum is at
        least 1, and ``None`` means no limit. A number in the account's ``AccountLimit``
        row takes precedence over this method.
        """
        return conf.limit

    def at_limit(self, user: AbstractBaseUser, scope: str) -> AtLimit | str:
        """
        Return what happens to a sign-in that would exceed the limit.

        ``"displace"`` ends older sessions, ``"deny"`` refuses the sign-in, ``"ask"``
        lets the user choose which sessions to end, and ``"observe"`` only reports the
        sign-in.
        """
        return conf.at_limit

    def scope(self, user: AbstractBaseUser, request: HttpRequest) -> str:
        """
        Return the name of the group of sessions that this sign-in is counted with.

        The name has at most 64 characters. The default, ``""``, puts all sessions of
        the account into one group. A session never changes its scope.
        """
        return ""

    def exempt(self, user: AbstractBaseUser, request: HttpRequest) -> bool:
        """
        Return whether this sign-in is exempt from the limit.

        An exempt session does not count and displaces no other session. The session is
        still recorded, so that it can be seen and ended. By default, only an
        administrator who signs in as another user through django-hijack or
        django-loginas is exempt.
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
        Return the maximum number of simultaneous plays of ``user`` in ``scope``.

        A play is one playback of limited content. The maximum is at least 1, and
        ``None`` means no limit. This method is called only if ``SESSION_LIMIT_PLAYS``
        is set.
        """
        return conf.play_limit

    def play_at_limit(self, user: AbstractBaseUser, scope: str) -> AtLimit | str:
        """
        Return what happens to a play that would exceed the limit of simultaneous plays.

        The values have the same meanings as in ``at_limit()``.
        """
        return conf.play_at_limit

    def play_scope(
        self, user: AbstractBaseUser, session: UserSession, what: str
    ) -> str:
        """
        Return the name of the group of plays that a new play is counted with.

        ``what`` is the project's name for the content that ``session`` starts to play.
        The name of the group has at most 64 characters, and may be a kind of content or
        ``session.device_class``, for example. The default, ``""``, puts all plays of
        the account into one group.
        """
        return ""

    def idle_timeout(self, user: AbstractBaseUser) -> timedelta | None:
        """Return how long a session of ``user`` may idle, or ``None`` for no limit."""
        return conf.idle_timeout

    def absolute_timeout(self, user: AbstractBaseUser) -> timedelta | None:
        """Return how long after sign-in a session of ``user`` expires, or ``None``."""
        return conf.absolute_timeout

    def is_fresh(
        self, user: AbstractBaseUser, session: UserSession, request: HttpRequest
    ) -> bool:
        """
        Return whether ``user`` has authenticated recently enough to end other sessions.

        ``session`` is the session of ``request``. The answer is false for an
        administrator who is signed in as ``user``, because the administrator has not
        entered the user's credentials.
        """
        if any(request.session.get(key) for key in IMPERSONATION_KEYS):
            return False
        age = timezone.now() - session.authenticated_at
        return age <= conf.reauthentication_age

    def reauthentication_url(
        self, user: AbstractBaseUser, request: HttpRequest, back: str
    ) -> str | None:
        """
        Return the URL where the user must re-authenticate if ``is_fresh()`` is false.

        The page at this URL redirects to ``back`` afterwards. ``None`` means that the
        current page should ask for the password itself. By default, users without a
        usable password go to the sign-in page, since a second sign-in in the same
        browser is not counted again.
        """
        if user.has_usable_password():
            return None
        return links.sign_in_url(local_address(request, back))


class PerDeviceClass(Rules):
    """
    Rules that count each class of device (phone, tablet, computer, other) separately.

    With a limit of one, a user may have one phone and one computer. The class is
    derived from what the client sends, so a dishonest client can choose the class.
    """

    def scope(self, user: AbstractBaseUser, request: HttpRequest) -> str:
        """Return the class of the device that sent ``request``."""
        return describe(request).device_class


def get_rules() -> Rules:
    """Return the process-wide instance of the ``SESSION_LIMIT_RULES`` class."""
    return _make_rules(conf.rules)


@functools.cache
def _make_rules(path: str) -> Rules:
    return cast("Rules", import_string(path)())
