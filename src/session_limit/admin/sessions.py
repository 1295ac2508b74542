"""Sessions in the admin: found, looked at, ended. Nothing of one is edited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.utils import unquote
from django.contrib.auth import get_user_model
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.db import DataError
from django.db.models.constants import LOOKUP_SEP
from django.http import Http404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from session_limit import audit, registry
from session_limit.admin.columns import Columns, administrator
from session_limit.admin.filters import BoundedPaginator, DeviceClassFilter, StateFilter
from session_limit.admin.timeline_view import PERIODS, USUAL, Timeline
from session_limit.models import Play, UserSession, parse_uuid
from session_limit.store.state import state_of
from session_limit.utils.safe_redirects import own_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http import HttpRequest, HttpResponse

    from session_limit.models import UserSessionQuerySet

    ModelAdmin = admin.ModelAdmin[UserSession]
else:
    ModelAdmin = admin.ModelAdmin

# As many as a page lists before it says how many more there are, and as one transaction
# ends.
LISTED = 100
BATCH = 500


def _batches(ids: list[UUID]) -> Iterator[list[UUID]]:
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]


@admin.register(UserSession)
class UserSessionAdmin(Columns, ModelAdmin):
    """
    Who has ``view_usersession`` sees sessions, with ``view_address`` their whole
    addresses; who also has ``end_usersession`` may end them.
    """

    actions = ["end_sessions"]
    list_filter = (
        StateFilter,
        "ended_reason",
        DeviceClassFilter,
        "created_at",
    )
    list_select_related = ("user",)
    # By the ids, which are ordered by time: so no other index is needed.
    ordering = ("-pk",)
    paginator = BoundedPaginator
    search_help_text = gettext_lazy(
        "The beginning of a user's name or email address, or the id of a session."
    )
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False

    # Who may do what.

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(
        self, request: HttpRequest, obj: UserSession | None = None
    ) -> bool:
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: UserSession | None = None
    ) -> bool:
        """
        Return whether this one may go with its user: whoever may delete a user is
        asked about all that is deleted with it. By itself none is: see
        ``delete_view()``.
        """
        return obj is not None

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("session_limit.end_usersession")

    def delete_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """Raise ``PermissionDenied``: a session is ended, and pruned later."""
        raise PermissionDenied

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """
        Return whether a list may be narrowed by this: not by what is not shown, or an
        address or a session key could be guessed letter by letter.
        """
        hidden = {field.name for field in self.opts.fields if not field.editable}
        hidden.discard("id")
        if self.address_column(request) != "address":
            hidden.add("address")
        name, *_rest = lookup.split(LOOKUP_SEP)
        return name not in hidden and super().lookup_allowed(lookup, value, request)

    # What is shown.

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        times = ["created_at", "last_active_at"]
        return ["user", "state", "device_name", self.address_column(request), *times]

    def get_fieldsets(
        self, request: HttpRequest, obj: UserSession | None = None
    ) -> list[tuple[Any, Any]]:
        address = self.address_column(request)
        who = ["user", "state", "device_name", "device_class_name", address]
        times = ["created_at", "authenticated_at", "last_active_at", "expires_at"]
        limit = ["scope", "counted", "adopted"]
        if obj is not None and not obj.is_live:
            who.append("ended_at")
            who += ["ended_by_user"] if obj.ended_by else []
            who += ["displaced_by"] if obj.ended_by_session else []
        return [
            (None, {"fields": who}),
            (_("Times"), {"fields": times}),
            (_("Limit"), {"fields": limit}),
        ]

    def get_fields(
        self, request: HttpRequest, obj: UserSession | None = None
    ) -> list[Any]:
        sections = self.get_fieldsets(request, obj)
        return [name for _title, section in sections for name in section["fields"]]

    def get_readonly_fields(
        self, request: HttpRequest, obj: UserSession | None = None
    ) -> list[str]:
        return self.get_fields(request, obj)

    @admin.display(description=gettext_lazy("ended by"))
    def ended_by_user(self, session: UserSession) -> str:
        """Return who ended it: a name, or the primary key of who is no more."""
        users = get_user_model()._base_manager
        return str(users.filter(pk=session.ended_by).first() or session.ended_by)

    @admin.display(description=gettext_lazy("displaced by"))
    def displaced_by(self, session: UserSession) -> str:
        url = self._url_of(session.ended_by_session)
        return format_html('<a href="{}">{}</a>', url, session.ended_by_session)

    def _url_of(self, id: UUID | None) -> str:
        name = f"{self.admin_site.name}:session_limit_usersession_change"
        return reverse(name, args=[id])

    # Search.

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        model = get_user_model()
        names = {field.name for field in model._meta.get_fields()}
        wanted = (model.USERNAME_FIELD, model.get_email_field_name())
        return [f"^user__{name}" for name in dict.fromkeys(wanted) if name in names]

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        id = parse_uuid(search_term.strip())
        if id is not None and (found := queryset.filter(pk=id)).exists():
            return found, False
        return super().get_search_results(request, queryset, search_term)

    # Looking at one.

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        more = {"show_delete": False, "may_end": self.has_end_permission(request)}
        context = {**(extra_context or {}), **more}
        return super().change_view(request, object_id, form_url, context)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        session: UserSession = context["original"]
        audit.viewed(session.user_id, by=administrator(request), session=session)
        return super().render_change_form(request, context, *args, **kwargs)

    # Looking at an account's, over time.

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.account_view)
        name = "session_limit_usersession_account"
        return [
            path("account/<path:object_id>/", view, name=name),
            *super().get_urls(),
        ]

    def account_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Draw the sessions of the account whose user's primary key this is."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        users = get_user_model()
        try:
            user = users._base_manager.get(pk=unquote(object_id))
        except (users.DoesNotExist, ValidationError, ValueError, DataError) as error:
            raise Http404 from error
        audit.viewed(user.pk, by=administrator(request))

        def url_of(session: UserSession) -> str:
            may_view = self.has_view_permission(request, session)
            return self._url_of(session.pk) if may_view else ""

        found = self.get_queryset(request).filter(user=user)
        days = request.GET.get("days")
        days = days if days in PERIODS else USUAL
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            "admin/session_limit/usersession/account.html",
            {
                **self.admin_site.each_context(request),
                "title": _("Timeline"),
                "subtitle": str(user),
                "opts": self.opts,
                "account": user,
                "play": Play._meta.verbose_name,
                "periods": PERIODS,
                "timeline": Timeline(found, days, url_of),
            },
        )

    # Ending.

    def response_action(self, *args: Any, **kwargs: Any) -> HttpResponse | None:
        try:
            return super().response_action(*args, **kwargs)
        except ValidationError as error:
            # What was selected is no id.
            raise BadRequest from error

    @admin.action(
        description=gettext_lazy("End selected %(verbose_name_plural)s"),
        permissions=["end"],
    )
    def end_sessions(
        self, request: HttpRequest, queryset: UserSessionQuerySet
    ) -> HttpResponse | None:
        """End what was selected and is live, once that has been confirmed."""
        live = queryset.live()
        state = state_of(request)
        own = live.filter(pk=state.row.id).first() if state and state.row else None
        if not live.exists():
            text = _("The selected sessions were over already.")
            self.message_user(request, text, messages.WARNING)
            return None
        if "confirmed" not in request.POST:
            return self._ask_to_end(request, live, own)
        # Read once: who signs in meanwhile was not selected, and "all" of a busy site
        # would never come to an end. The administrator's own session comes last.
        others = live if own is None else live.exclude(pk=own.pk)
        ids = [*others.values_list("pk", flat=True), *([own.pk] if own else [])]
        ended = sum(self._end(request, batch) for batch in _batches(ids))
        text = ngettext(
            "%(count)d session was ended.", "%(count)d sessions were ended.", ended
        )
        self.message_user(request, text % {"count": ended}, messages.SUCCESS)
        over = len(request.POST.getlist(ACTION_CHECKBOX_NAME)) - ended
        if over > 0:
            text = ngettext(
                "%(count)d had been over already.",
                "%(count)d had been over already.",
                over,
            )
            self.message_user(request, text % {"count": over}, messages.WARNING)
        return None

    def _end(self, request: HttpRequest, ids: list[UUID]) -> int:
        by = administrator(request)
        ended = registry.end(ids, UserSession.Reason.REVOKED, by=by)
        users = get_user_model()._base_manager.in_bulk({row.user_id for row in ended})
        for objects, text in (
            (ended, _("Ended.")),
            (users.values(), _("Ended sessions of this user.")),
        ):
            LogEntry.objects.log_actions(by.pk, objects, CHANGE, text)
        return len(ended)

    def _ask_to_end(
        self, request: HttpRequest, live: UserSessionQuerySet, own: UserSession | None
    ) -> TemplateResponse:
        count = live.count()
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            "admin/session_limit/usersession/end_confirmation.html",
            {
                **self.admin_site.each_context(request),
                "title": _("End sessions"),
                "opts": self.opts,
                "media": self.media,
                "action_checkbox_name": ACTION_CHECKBOX_NAME,
                "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
                "select_across": request.POST.get("select_across"),
                "sessions": live[:LISTED],
                "count": count,
                "more": max(count - LISTED, 0),
                "own": own,
                # An empty link leads to the address that the browser shows.
                "cancel_url": own_address(request) or "",
            },
        )
