"""How one session is shown, in a list, on its page and on its user's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy, pgettext

from session_limit.client import DeviceClass
from session_limit.client.addresses import mask
from session_limit.client.device import device_label

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.http import HttpRequest

    from session_limit.models import UserSession

DEVICE_CLASSES: dict[str, Any] = {
    DeviceClass.PHONE: gettext_lazy("Phone"),
    DeviceClass.TABLET: gettext_lazy("Tablet"),
    DeviceClass.COMPUTER: gettext_lazy("Computer"),
    DeviceClass.OTHER: gettext_lazy("Other"),
}


def administrator(request: HttpRequest) -> AbstractBaseUser:
    """Return who asks: the admin lets nobody else in."""
    return cast("AbstractBaseUser", request.user)


class Columns:
    """What a session is shown by. Nothing of it is edited."""

    def address_column(self, request: HttpRequest) -> str:
        """Return the name of the column with as much of the address as may be seen."""
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

    @admin.display(description=gettext_lazy("state"), ordering="ended_at")
    def state(self, session: UserSession) -> str:
        reason = session.get_ended_reason_display()
        return capfirst(reason) or pgettext("session", "Live")
