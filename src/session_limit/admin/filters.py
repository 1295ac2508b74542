"""Filters and a paginator for the admin's list of sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy, pgettext

from session_limit.admin.columns import DEVICE_CLASSES
from session_limit.models import UserSession, UserSessionQuerySet

if TYPE_CHECKING:
    PaginatorBase = Paginator[UserSession]
else:
    PaginatorBase = Paginator

# The maximum number of sessions that the list counts. Later sessions have no page.
COUNTED = 10_000


class StateFilter(admin.SimpleListFilter):
    """An admin filter for live sessions or ended sessions."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, Any]]:
        live, ended = pgettext("session", "Live"), pgettext("session", "Ended")
        return [("live", live), ("ended", ended)]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        states = {"live": queryset.live, "ended": queryset.ended}
        return states.get(self.value() or "", queryset.all)()


class DeviceClassFilter(admin.SimpleListFilter):
    """An admin filter for sessions on one class of device, such as phones."""

    title = gettext_lazy("device class")
    parameter_name = "device_class"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, Any]]:
        # Finding out which classes are in use would read the whole table.
        return [*DEVICE_CLASSES.items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = self.value()
        return queryset if value is None else queryset.filter(device_class=value)


class BoundedPaginator(PaginatorBase):
    """A paginator that stops counting at ``COUNTED`` rows, to stay fast."""

    @cached_property
    def count(self) -> int:
        # Counting reads every row, which is slow in a large table.
        return cast("UserSessionQuerySet", self.object_list)[:COUNTED].count()
