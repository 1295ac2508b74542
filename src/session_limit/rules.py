"""The rules of a project, which answer for each user. Subclass ``Rules``."""

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

# The views that sign an administrator in as another user. The views that end that are
# not here, because coming back is a sign-in like any other.
IMPERSONATION_VIEWS = frozenset(
    {"hijack.views.AcquireUserView", "loginas.views.user_login"}
)
# The session keys that these packages set while an impersonation lasts.
IMPERSONATION_KEYS = ("hijack_history", "loginas_from_user")


class Rules:
    """
    Answer for every user what the settings say.

    Name a subclass in ``SESSION_LIMIT_RULES``. One instance serves the process, so it
    must keep no state. Most methods run during a sign-in, and some of them while the
    account is locked, so answer from the user object or with a single query.
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
        Return the scope that this sign-in is counted in, a string of at most 64
        characters. ``""`` is the whole account. The session keeps its scope.
        """
        return ""

    def exempt(self, user: AbstractBaseUser, request: HttpRequest) -> bool:
        """
        Return whether this sign-in takes no place and displaces no session. It is
        recorded all the same, so that it can be seen and ended. True for an
        administrator who signs in as another user through django-hijack or
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
        Return how many plays ``user`` may run at once in ``scope``, at least 1, or
        ``None`` for no limit. Used if ``SESSION_LIMIT_PLAYS`` is set.
        """
        return conf.play_limit

    def play_at_limit(self, user: AbstractBaseUser, scope: str) -> AtLimit | str:
        """Return ``"displace"``, ``"deny"``, ``"ask"`` or ``"observe"``."""
        return conf.play_at_limit

    def play_scope(
        self, user: AbstractBaseUser, session: UserSession, what: str
    ) -> str:
        """
        Return the scope that a play of ``what`` in ``session`` is counted in, a string
        of at most 64 characters, such as a kind of content or
        ``session.device_class``. ``""`` is the whole account.
        """
        return ""

    def idle_timeout(self, user: AbstractBaseUser) -> timedelta | None:
        """Return how long a session may be without activity, or ``None``."""
        return conf.idle_timeout

    def absolute_timeout(self, user: AbstractBaseUser) -> timedelta | None:
        """Return how long after its sign-in a session expires, or ``None``."""
        return conf.absolute_timeout

    def is_fresh(
        self, user: AbstractBaseUser, session: UserSession, request: HttpRequest
    ) -> bool:
        """
        Return whether ``user`` gave credentials recently enough to end sessions other
        than ``session``, the one of ``request``. Never true for an administrator who is
        signed in as ``user``, because no one gave that user's credentials.
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
        or ``None`` if the current page should ask for the password itself. The URL
        redirects to ``back`` afterwards. Without a usable password, it is the sign-in
        page: to sign in again in the same browser takes no second place.
        """
        if user.has_usable_password():
            return None
        return links.sign_in_url(local_address(request, back))


class PerDeviceClass(Rules):
    """
    Count each class of device (phone, tablet, computer, other) by itself.

    A limit of one then allows one phone and one computer. The class comes from what the
    client sends, so a dishonest client can choose it.
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
