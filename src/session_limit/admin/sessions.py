"""Admin pages for the list of sessions, for one session, and for a user's timeline."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DataError
from django.db.models.constants import LOOKUP_SEP
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from session_limit import audit
from session_limit.admin.columns import Columns, administrator
from session_limit.admin.ending import EndingAdmin
from session_limit.admin.filters import BoundedPaginator, DeviceClassFilter, StateFilter
from session_limit.admin.timeline_page import DEFAULT_PERIOD, PERIODS, Timeline
from session_limit.models import Play, UserSession, parse_uuid
from session_limit.store.users import email_field_of


@admin.register(UserSession)
class UserSessionAdmin(Columns, EndingAdmin):
    """
    A ``ModelAdmin`` for viewing and ending sessions, which cannot be edited.

    Administrators need the permission ``view_usersession`` to see sessions,
    ``view_address`` to see whole IP addresses, and ``end_usersession`` to end sessions.
    To customize this class, unregister it and register a subclass::

        admin.site.unregister(UserSession)

        @admin.register(UserSession)
        class SessionAdmin(UserSessionAdmin):
            list_filter = ["ended_reason"]
    """

    list_filter = (StateFilter, "ended_reason", DeviceClassFilter, "created_at")
    list_select_related = ("user",)
    # Ids (UUIDv7) increase with time, so the list needs only the primary key's index.
    ordering = ("-pk",)
    paginator = BoundedPaginator
    search_help_text = gettext_lazy(
        "The beginning of a user's name or email address, or the id of a session."
    )
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False

    def has_delete_permission(
        self, request: HttpRequest, obj: UserSession | None = None
    ) -> bool:
        """
        Return ``True`` for a given session, so that the session's user can be deleted.

        Before the admin deletes a user, the admin calls this method with each of the
        user's sessions. In all other cases, only ``prunesessions`` deletes sessions.
        """
        return obj is not None

    def delete_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """Raise ``PermissionDenied``. Sessions can be ended, but not deleted."""
        raise PermissionDenied

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """
        Return whether a query string may filter the list of sessions by ``lookup``.

        Filters by hidden fields are not allowed. Such filters would let people guess
        an IP address or a session key letter by letter.
        """
        hidden = {field.name for field in self.opts.fields if not field.editable}
        hidden.discard("id")
        if self.address_column(request) != "address":
            hidden.add("address")
        name, *_rest = lookup.split(LOOKUP_SEP)
        return name not in hidden and super().lookup_allowed(lookup, value, request)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        times = ["signed_in", "last_active"]
        return ["user", "state", "device_name", self.address_column(request), *times]

    def get_fieldsets(
        self, request: HttpRequest, obj: UserSession | None = None
    ) -> list[tuple[Any, Any]]:
        address = self.address_column(request)
        who = ["user", "state", "device_name", "device_class_name", address]
        times = ["signed_in", "credentials_given", "last_active", "expires"]
        if obj is not None and not obj.is_live:
            who.append("ended")
            who += ["ended_by_user"] if obj.ended_by else []
            who += ["displaced_by"] if obj.ended_by_session else []
        return [
            (None, {"fields": who}),
            (_("Times"), {"fields": times}),
            (_("Limit"), {"fields": ["scope", "counted", "adopted"]}),
        ]

    @admin.display(description=gettext_lazy("ended by"))
    def ended_by_user(self, session: UserSession) -> str:
        """Return the name of the user who ended ``session``."""
        users = get_user_model()._base_manager
        # A user who has been deleted is shown by primary key.
        return str(users.filter(pk=session.ended_by).first() or session.ended_by)

    @admin.display(description=gettext_lazy("displaced by"))
    def displaced_by(self, session: UserSession) -> str:
        url = self._url_of(session.ended_by_session)
        return format_html('<a href="{}">{}</a>', url, session.ended_by_session)

    def _url_of(self, id: UUID | None) -> str:
        name = f"{self.admin_site.name}:session_limit_usersession_change"
        return reverse(name, args=[id])

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        model = get_user_model()
        names = {field.name for field in model._meta.get_fields()}
        wanted = (model.USERNAME_FIELD, email_field_of(model))
        return [f"^user__{name}" for name in dict.fromkeys(wanted) if name in names]

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        id = parse_uuid(search_term.strip())
        if id is not None and (found := queryset.filter(pk=id)).exists():
            return found, False
        return super().get_search_results(request, queryset, search_term)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = {**(extra_context or {}), "show_delete": False}
        context["may_end"] = self.has_end_permission(request)
        return super().change_view(request, object_id, form_url, context)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        session: UserSession = context["original"]
        audit.viewed(session.user_id, by=administrator(request), session=session)
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.account_view)
        name = "session_limit_usersession_account"
        account = path("account/<path:object_id>/", view, name=name)
        return [account, *super().get_urls()]

    def account_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return the timeline page of the user with the primary key ``object_id``."""
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
        days = days if days in PERIODS else DEFAULT_PERIOD
        return self.render_page(
            request,
            "account.html",
            title=_("Timeline"),
            subtitle=str(user),
            account=user,
            play=Play._meta.verbose_name,
            periods=PERIODS,
            timeline=Timeline(found, days, url_of),
        )
