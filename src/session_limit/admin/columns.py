"""The columns that describe a session on the admin's pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.http import HttpRequest
from django.utils.formats import localize
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy, pgettext

from session_limit.client import DeviceClass
from session_limit.client.addresses import mask
from session_limit.client.device import device_label
from session_limit.models import UserSession
from session_limit.utils.clock import local

DEVICE_CLASSES: dict[str, Any] = {
    DeviceClass.PHONE: gettext_lazy("Phone"),
    DeviceClass.TABLET: gettext_lazy("Tablet"),
    DeviceClass.COMPUTER: gettext_lazy("Computer"),
    DeviceClass.OTHER: gettext_lazy("Other"),
}


def administrator(request: HttpRequest) -> AbstractBaseUser:
    """Return the signed-in administrator who sent ``request``."""
    return cast("AbstractBaseUser", request.user)


def deny(*_args: Any, **_kwargs: Any) -> bool:
    """Return ``False``, to override methods such as ``has_add_permission()``."""
    return False


def _time_column(name: str) -> Callable[[Any, UserSession], str]:
    """Return a column that shows the time in the field ``name`` as local time."""
    title = cast("models.DateTimeField[Any, Any]", UserSession._meta.get_field(name))

    # If USE_TZ is false, Django's admin would show the field in UTC.
    @admin.display(description=title.verbose_name, ordering=name)
    def column(self: Any, session: UserSession) -> str:
        return str(localize(local(getattr(session, name))))

    return column


class Columns:
    """A mixin for admin classes that display sessions but do not allow editing."""

    get_fieldsets: Callable[..., Any]
    has_add_permission = has_change_permission = deny

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return flatten_fieldsets(self.get_fieldsets(request, obj))

    def address_column(self, request: HttpRequest) -> str:
        """
        Return the name of the column that shows a session's IP address.

        Administrators without the permission ``view_address`` get a column that masks
        part of the address.
        """
        whole = request.user.has_perm("session_limit.view_address")
        return "address" if whole else "masked_address"

    @admin.display(description=gettext_lazy("address"))
    def masked_address(self, session: UserSession) -> str:
        return mask(session.address) if session.address else "-"

    @admin.display(description=gettext_lazy("device"), ordering="device")
    def device_name(self, session: UserSession) -> str:
        return device_label(session.device)

    @admin.display(description=gettext_lazy("device class"))
    def device_class_name(self, session: UserSession) -> str:
        return str(DEVICE_CLASSES.get(session.device_class, session.device_class))

    signed_in = _time_column("created_at")
    credentials_given = _time_column("authenticated_at")
    last_active = _time_column("last_active_at")
    expires = _time_column("expires_at")
    ended = _time_column("ended_at")

    @admin.display(description=gettext_lazy("state"), ordering="ended_at")
    def state(self, session: UserSession) -> str:
        reason = session.get_ended_reason_display()
        return capfirst(reason) or pgettext("session", "Live")
