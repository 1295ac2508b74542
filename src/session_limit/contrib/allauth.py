"""django-allauth's own re-authentication, by whichever factor an account has."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.urls import reverse
from django.utils import timezone

from session_limit.conf import conf
from session_limit.rules import Rules

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.http import HttpRequest

    from session_limit.models import UserSession


class AllauthRules(Rules):
    """
    Name it in ``SESSION_LIMIT_RULES``, or derive your own rules from it.

    As in django-allauth itself, nothing is asked of those who have neither a password
    nor a second factor, but only accounts of other sites.
    """

    def is_fresh(
        self, user: AbstractBaseUser, session: UserSession, request: HttpRequest
    ) -> bool:
        """Return whether credentials were given on allauth's page lately, too."""
        if super().is_fresh(user, session, request):
            return True
        if not get_adapter(request).get_reauthentication_methods(user):
            return True
        oldest = (timezone.now() - conf.reauthentication_age).timestamp()
        return any(
            record.get("reauthenticated") and record["at"] >= oldest
            for record in request.session.get(AUTHENTICATION_METHODS_SESSION_KEY, ())
        )

    def reauthentication_url(
        self, user: AbstractBaseUser, request: HttpRequest, back: str
    ) -> str | None:
        """Return the address of allauth's page, which offers each factor."""
        page = reverse("account_reauthenticate")
        return f"{page}?{urlencode({REDIRECT_FIELD_NAME: back})}"
