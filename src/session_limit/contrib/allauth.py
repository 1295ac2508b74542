"""Rules for projects that use django-allauth to re-authenticate users."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.urls import reverse

from session_limit.conf import conf
from session_limit.rules import Rules, is_impersonated
from session_limit.utils.clock import utc_now

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.http import HttpRequest

    from session_limit.models import UserSession


class AllauthRules(Rules):
    """
    Rules that send users to django-allauth's page to re-authenticate.

    The page accepts a password or another factor. Users who have neither, because they
    sign in through another site, need not re-authenticate. Name this class or a
    subclass of it in the settings::

        SESSION_LIMIT_RULES = "session_limit.contrib.allauth.AllauthRules"
    """

    def is_fresh(
        self, user: AbstractBaseUser, session: UserSession, request: HttpRequest
    ) -> bool:
        """
        Return whether ``user`` may end other sessions without re-authenticating.

        Return ``True`` for ``SESSION_LIMIT_REAUTHENTICATION_AGE`` after the user signed
        in or re-authenticated. Always return ``True`` if django-allauth offers the user
        no way to re-authenticate, because django-allauth does the same. Always return
        ``False`` for an administrator who is signed in as ``user``.
        """
        if super().is_fresh(user, session, request):
            return True
        if is_impersonated(request):
            return False
        if not get_adapter(request).get_reauthentication_methods(user):
            return True
        oldest = (utc_now() - conf.reauthentication_age).timestamp()
        return any(
            record.get("reauthenticated") and record["at"] >= oldest
            for record in request.session.get(AUTHENTICATION_METHODS_SESSION_KEY, ())
        )

    def reauthentication_url(
        self, user: AbstractBaseUser, request: HttpRequest, back: str
    ) -> str | None:
        """Return the URL of allauth's page, which redirects to ``back`` on success."""
        page = reverse("account_reauthenticate")
        return f"{page}?{urlencode({REDIRECT_FIELD_NAME: back})}"
