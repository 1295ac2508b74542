"""The admin action that ends the selected sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.core.exceptions import BadRequest, ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from session_limit import registry
from session_limit.admin.columns import administrator
from session_limit.models import UserSession, UserSessionQuerySet
from session_limit.store.state import state_of
from session_limit.utils.safe_redirects import own_address

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[UserSession]
else:
    ModelAdmin = admin.ModelAdmin

# The maximum numbers of sessions on the confirmation page and in one transaction.
LISTED = 100
BATCH = 500


class EndingAdmin(ModelAdmin):
    """A ``ModelAdmin`` with an action that ends the selected sessions."""

    actions = ["end_sessions"]

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("session_limit.end_usersession")

    def response_action(self, *args: Any, **kwargs: Any) -> HttpResponse | None:
        try:
            return super().response_action(*args, **kwargs)
        except ValidationError as error:
            # The submitted id of a session is not a UUID.
            raise BadRequest from error

    @admin.action(
        description=gettext_lazy("End selected %(verbose_name_plural)s"),
        permissions=["end"],
    )
    def end_sessions(
        self, request: HttpRequest, queryset: UserSessionQuerySet
    ) -> HttpResponse | None:
        """
        Ask for confirmation, then end the live sessions in ``queryset``.

        Return the confirmation page, or ``None`` to show the list of sessions again.
        """
        live = queryset.live()
        state = state_of(request)
        own = live.filter(pk=state.row.id).first() if state and state.row else None
        if not live.exists():
            text = _("The selected sessions were over already.")
            self.message_user(request, text, messages.WARNING)
            return None
        if "confirmed" not in request.POST:
            return self._ask_to_end(request, live, own)
        # Read the ids only once. Sessions that start later were not selected, and on a
        # busy site they would never run out. The administrator's own session ends last.
        others = live if own is None else live.exclude(pk=own.pk)
        ids = [*others.values_list("pk", flat=True), *([own.pk] if own else [])]
        starts = range(0, len(ids), BATCH)
        ended = sum(self._end(request, ids[start : start + BATCH]) for start in starts)
        text = ngettext(
            "%(count)d session was ended.", "%(count)d sessions were ended.", ended
        )
        self.message_user(request, text % {"count": ended}, messages.SUCCESS)
        ended_before = len(request.POST.getlist(ACTION_CHECKBOX_NAME)) - ended
        if ended_before > 0:
            text = ngettext(
                "%(count)d had been over already.",
                "%(count)d had been over already.",
                ended_before,
            )
            self.message_user(request, text % {"count": ended_before}, messages.WARNING)
        return None

    def _end(self, request: HttpRequest, ids: list[UUID]) -> int:
        by, log = administrator(request), LogEntry.objects.log_actions
        ended = registry.end(ids, UserSession.Reason.REVOKED, by=by)
        users = get_user_model()._base_manager.in_bulk({row.user_id for row in ended})
        log(by.pk, ended, CHANGE, _("Ended."))
        log(by.pk, users.values(), CHANGE, _("Ended sessions of this user."))
        return len(ended)

    def _ask_to_end(
        self, request: HttpRequest, live: UserSessionQuerySet, own: UserSession | None
    ) -> TemplateResponse:
        count = live.count()
        return self.render_page(
            request,
            "end_confirmation.html",
            title=_("End sessions"),
            media=self.media,
            action_checkbox_name=ACTION_CHECKBOX_NAME,
            selected=request.POST.getlist(ACTION_CHECKBOX_NAME),
            select_across=request.POST.get("select_across"),
            sessions=live[:LISTED],
            count=count,
            more=max(count - LISTED, 0),
            own=own,
            # A link with an empty address reloads the page that the browser shows.
            cancel_url=own_address(request) or "",
        )

    def render_page(
        self, request: HttpRequest, name: str, **context: Any
    ) -> TemplateResponse:
        """Return a response that renders a template in the admin's layout."""
        request.current_app = self.admin_site.name
        frame = {**self.admin_site.each_context(request), "opts": self.opts}
        template = f"admin/session_limit/usersession/{name}"
        return TemplateResponse(request, template, frame | context)
