"""Read when a user last signed in, before a sign-in changes that time."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db import router
from django.http import HttpRequest

from session_limit.conf import DEFAULT_RULES, conf
from session_limit.policy import AtLimit
from session_limit.store.state import state_of
from session_limit.store.users import is_user, names

FIELD = "last_login"


class LastLogin(NamedTuple):
    """The value of a user's ``last_login``."""

    at: datetime | None


def signing_in(
    sender: object, request: HttpRequest | None, user: Any, **kwargs: Any
) -> None:
    """
    Record the ``last_login`` of a user who signs in, for a sign-in that is refused.

    This receiver of ``user_logged_in`` runs before Django's, which changes the value.
    """
    state = state_of(request)
    data = getattr(getattr(request, "session", None), "_session_cache", {})
    if state is None or not (is_user(user) and names(data, user)):
        return
    try:
        user._meta.get_field(FIELD)
    except FieldDoesNotExist:
        return
    state.sign_in.last_login = _read(user)


def _read(user: Any) -> LastLogin:
    may_be_refused = conf.at_limit in {AtLimit.DENY, AtLimit.ASK}
    if not may_be_refused and conf.rules == DEFAULT_RULES:
        return LastLogin(getattr(user, FIELD))
    # Another sign-in may have changed the value since this request read the user.
    using = router.db_for_write(get_user_model(), instance=user)
    rows = get_user_model()._base_manager.using(using).filter(pk=user.pk)
    return LastLogin(rows.values_list(FIELD, flat=True).first())
