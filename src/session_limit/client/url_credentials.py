"""Recognize the addresses of one-time links and of answers to single sign-on."""

from __future__ import annotations

import inspect
import re

from django.conf import settings
from django.contrib.auth import load_backend
from django.http import HttpRequest

# Words in the names of parameters that hold credentials.
_CREDENTIAL = re.compile(
    r"(?<![a-z])"
    r"(token|ticket|sig|signature|signed|secret|otp|jwt|magic|sesame|uidb64|verifier"
    r"|credentials?|assertion|passw[a-z]*|saml[a-z]*|openid)"
    r"(?![a-z])"
)
# django-allauth and django-registration call a part of the path so.
_CREDENTIAL_OF_PATH = frozenset({"key", "activation_key"})
# The parameters of an answer of OAuth 2 or OpenID Connect.
_OAUTH = frozenset({"code", "state"})

# Words in the names of such fields.
_POSTED = re.compile(
    rf"{_CREDENTIAL.pattern}|user|login|e-?mail|phone|mobile|name|code|pin|key"
)

# Parameters that name a user but prove nothing.
_NO_PROOF = frozenset({"request", "username", "password", "remote_user"})


def carries_credentials(request: HttpRequest, backend: str | None) -> bool:
    """
    Return whether the address of ``request`` contains what signs its user in.

    Such an address is a link that a person opened, or the answer of another site to a
    sign-in that a person began. ``backend`` is the path of the authentication backend
    that signs the user in. If a middleware does so, only the parameters of that backend
    count, because the middleware signs in at any address.
    """
    match = request.resolver_match
    path_names = set() if match is None else set(match.kwargs)
    names = {name for name, value in request.GET.items() if value} | path_names
    if not names.isdisjoint(_parameters(backend)):
        return True
    if match is None:
        return False
    is_named_so = any(_CREDENTIAL.search(name.lower()) for name in names)
    return is_named_so or names >= _OAUTH or bool(path_names & _CREDENTIAL_OF_PATH)


def posts_credentials(request: HttpRequest) -> bool:
    """Return whether a form was posted with a field with which people sign in or up."""
    return any(
        name != "csrfmiddlewaretoken" and _POSTED.search(name.lower())
        for name in request.POST
    )


def _parameters(backend: str | None) -> set[str]:
    """Return the names of the credentials that a backend's ``authenticate()`` takes."""
    if backend is None or backend not in settings.AUTHENTICATION_BACKENDS:
        return set()
    signature = inspect.signature(load_backend(backend).authenticate)
    named = {
        each.name
        for each in signature.parameters.values()
        if each.kind in {each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY}
    }
    return named - _NO_PROOF
