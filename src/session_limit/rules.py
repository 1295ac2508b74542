"""Define ``Rules``, which projects subclass to set limits and timeouts per user."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from django.contrib.auth import SESSION_KEY
from django.utils.module_loading import import_string

from session_limit.client import describe, request_kind
from session_limit.conf import conf
from session_limit.pages import links
from session_limit.rule_answers import check_answers
from session_limit.utils import django_tenants
from session_limit.utils.clock import utc_now
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
# The session keys that these packages and exempt_sign_in() set during an impersonation.
_ACTING = "_session_limit_acting"
IMPERSONATION_KEYS = ("hijack_history", "loginas_from_user", _ACTING)


def is_impersonated(request: HttpRequest) -> bool:
    """Return whether an administrator is signed in as the user of ``request``."""
    return any(request.session.get(key) for key in IMPERSONATION_KEYS)


class Rules:
    """
    A class that sets the limits and timeouts of each user.

    By default, the values come from the settings. To change them, subclass this class
    and name the subclass in ``SESSION_LIMIT_RULES``. The whole process shares one
    instance, so a subclass must keep no state. Most methods run during a sign-in, and
    some run while the account's database row is locked. A method should therefore
    answer from the user object or with a single query.
    """

    def limit(self, user: AbstractBaseUser, scope: str) -> int | None:
        """
        Return the maximum number of live sessions of ``user`` in ``scope``.

        A scope is a group of sessions that are counted together. The maximum is at
        least 1, and ``None`` means no limit. A number in the user's ``AccountLimit``
        row takes precedence over this method.
        """
        return conf.limit

    def at_limit(self, user: AbstractBaseUser, scope: str) -> AtLimit | str:
        """
        Return how to handle a sign-in that would exceed the session limit.

        ``"displace"`` ends older sessions, ``"deny"`` refuses the sign-in, and
        ``"ask"`` lets the user choose which sessions to end. ``"observe"`` admits the
        sign-in and only reports that it exceeds the limit.
        """
        return conf.at_limit

    def scope(self, user: AbstractBaseUser, request: HttpRequest) -> str:
        """
        Return the name of the group of sessions in which to count a sign-in.

        The limit applies to each group separately. The name has at most 64 characters.
        The default, ``""``, puts all sessions of ``user`` into one group. A session
        never moves to another group.
        """
        return ""

    def exempt(self, user: AbstractBaseUser, request: HttpRequest) -> bool:
        """
        Return whether this sign-in is exempt from the limit.

        An exempt session does not count towards the limit and ends no other session.
        The session is still recorded, so that it can be seen and ended. By default, a
        sign-in is exempt only if an administrator signs in as another user through
        django-hijack or django-loginas.
        """
        match = request.resolver_match
        if match is None:
            return False
        view = getattr(match.func, "view_class", match.func)
        views = view.__mro__ if isinstance(view, type) else (view,)
        # Partial functions and other callable objects have no name.
        named = (view for view in views if hasattr(view, "__qualname__"))
        names = (f"{view.__module__}.{view.__qualname__}" for view in named)
        return not IMPERSONATION_VIEWS.isdisjoint(names)

    def after_sign_in(self, request: HttpRequest, url: str) -> str:
        """
        Return the URL to open after a sign-in that had to wait for a person's choice.

        ``request`` is the sign-in, whose user is ``request.user``. ``url`` is the URL
        to which the sign-in view would have led, as far as the package can tell, or
        ``""`` for ``LOGIN_REDIRECT_URL``. A URL on another site must be absolute, and
        must not come from the client unchecked.
        """
        return url

    def play_limit(self, user: AbstractBaseUser, scope: str) -> int | None:
        """
        Return the maximum number of simultaneous playbacks of ``user`` in ``scope``.

        A scope is a group of playbacks that are counted together. The maximum is at
        least 1, and ``None`` means no limit. This method is called only if
        ``SESSION_LIMIT_PLAYS`` is set.
        """
        return conf.play_limit

    def play_at_limit(self, user: AbstractBaseUser, scope: str) -> AtLimit | str:
        """
        Return how to handle a playback that would exceed the playback limit.

        The values have the same meanings as the values of ``at_limit()``.
        """
        return conf.play_at_limit

    def play_scope(
        self, user: AbstractBaseUser, session: UserSession, what: str
    ) -> str:
        """
        Return the name of the group in which to count a new playback.

        ``what`` is the project's name for the content that ``session`` starts to play.
        The name of the group has at most 64 characters. For example, the name may be a
        kind of content or ``session.device_class``. The default, ``""``, puts all
        playbacks of ``user`` into one group.
        """
        return ""

    def idle_timeout(self, user: AbstractBaseUser) -> timedelta | None:
        """Return how long a session may be idle, or ``None`` for no limit."""
        return conf.idle_timeout

    def absolute_timeout(self, user: AbstractBaseUser) -> timedelta | None:
        """Return how long after sign-in a session expires, or ``None`` for no limit."""
        return conf.absolute_timeout

    def is_activity(self, request: HttpRequest) -> bool:
        """
        Return whether ``request`` shows that a person is using the session.

        A request that does not show this leaves the idle timeout running. By default, a
        request is no activity if its method is safe and its headers say that a script
        or a prefetch made the request for no page that a person sees. This method is
        called for each request that uses a session with an idle timeout, under ASGI in
        the event loop, so the method must answer without reading the database.
        """
        return not request_kind.is_in_background(request)

    def is_fresh(
        self, user: AbstractBaseUser, session: UserSession, request: HttpRequest
    ) -> bool:
        """
        Return whether ``user`` has authenticated recently enough to end other sessions.

        ``session`` is the ``UserSession`` row for ``request``. The result is false for
        an administrator who is signed in as ``user``, because the administrator has not
        entered the user's credentials.
        """
        if is_impersonated(request):
            return False
        age = utc_now() - session.authenticated_at
        return age <= conf.reauthentication_age

    def reauthentication_url(
        self, user: AbstractBaseUser, request: HttpRequest, back: str
    ) -> str | None:
        """
        Return the URL where the user must re-authenticate if ``is_fresh()`` is false.

        The page at this URL must redirect to ``back`` afterwards. Return ``None`` if
        the current page should ask for the password itself. By default, users without a
        usable password go to the sign-in page. A second sign-in in the same browser
        does not count as a second session.
        """
        has_password = getattr(user, "has_usable_password", None)
        if has_password is not None and has_password():
            return None
        return links.sign_in_url(request, local_address(request, back))

    def tenant(self, request: HttpRequest) -> Hashable | None:
        """
        Return the tenant to which ``request`` belongs, or ``None`` if it has none.

        A tenant is a customer of the project with tables or a database of its own.
        ``SessionGuard`` and ``SessionGateway`` call this method, because they run in
        front of the middleware that selects the tenant. ``request`` has a path and
        headers, and has passed no middleware. The method may read the database. Equal
        results mean the same tenant. Raise ``Http404`` if there is no such tenant. By
        default, this is the tenant that django-tenants selects, if it is installed.
        """
        if not django_tenants.is_installed():
            return None
        return django_tenants.tenant_of(request)

    def in_tenant(self, tenant: Any) -> AbstractContextManager[None]:
        """
        Return a context manager in which queries reach the tables of ``tenant``.

        ``tenant`` is a value that ``tenant()`` has returned. The context manager must
        restore what it changes, because its thread serves other tenants, too.
        """
        return django_tenants.in_tenant(tenant)


class PerDeviceClass(Rules):
    """
    Rules that count sessions of phones, tablets, computers and others separately.

    With a limit of one, a user may have one phone and one computer. The class of a
    device is derived from its request, so a dishonest client can choose the class.
    """

    def scope(self, user: AbstractBaseUser, request: HttpRequest) -> str:
        """Return the class of the device that sent ``request``."""
        return describe(request).device_class


@contextmanager
def exempt_sign_in(request: HttpRequest) -> Iterator[None]:
    """
    Exempt a sign-in from the limit, for an administrator who signs in as another user.

    Call ``login()`` or ``alogin()`` with this ``request`` in the block. The session
    does not count towards the limit and ends no other session, whatever
    ``Rules.exempt()`` returns. In the session, ``Rules.is_fresh()`` is false, because
    the administrator has not entered the user's credentials.
    """
    request.session_limit_exempt = True  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del request.session_limit_exempt  # type: ignore[attr-defined]
    if SESSION_KEY in request.session:
        request.session[_ACTING] = True


def is_exempt(user: AbstractBaseUser, request: HttpRequest) -> bool:
    """Return whether a sign-in is exempt, by ``exempt_sign_in()`` or by the rules."""
    is_exempted = hasattr(request, "session_limit_exempt")
    return is_exempted or get_rules().exempt(user, request)


def get_rules() -> Rules:
    """
    Return the process-wide instance of the ``SESSION_LIMIT_RULES`` class.

    The methods of this instance raise ``ImproperlyConfigured`` if they would return an
    invalid value.
    """
    return _make_rules(conf.rules)


@functools.cache
def _make_rules(path: str) -> Rules:
    rules = cast("Rules", import_string(path)())
    check_answers(rules, path)
    return rules
