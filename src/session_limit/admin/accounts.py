"""Admin inlines that show a user's session limit and live sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy, ngettext

from session_limit import audit, registry
from session_limit.admin.columns import Columns, administrator, deny
from session_limit.models import AccountLimit, UserSession, UserSessionQuerySet

if TYPE_CHECKING:
    FormSetBase = BaseInlineFormSet[Any, Any, Any]
    LimitInlineBase = admin.StackedInline[AccountLimit, Any]
    SessionInlineBase = admin.TabularInline[UserSession, Any]
else:
    FormSetBase = BaseInlineFormSet
    LimitInlineBase, SessionInlineBase = admin.StackedInline, admin.TabularInline


class UnsavedFormSet(FormSetBase):
    """A base class for admin formsets that do not let Django save their objects."""

    @classmethod
    def get_default_prefix(cls) -> str:
        # Django would use the relation's reverse name, which these models hide.
        return str(cls.model._meta.model_name)  # type: ignore[union-attr]

    def save(self, commit: bool = True) -> list[Any]:
        self.new_objects, self.changed_objects, self.deleted_objects = [], [], []
        return []


class AccountLimitFormSet(UnsavedFormSet):
    """
    A formset with a single form that edits the session limit of one user.

    Saving a lower limit also ends the sessions that exceed the limit.
    """

    request: HttpRequest
    queryset: QuerySet[AccountLimit]

    def initial_form_count(self) -> int:
        return 0

    def total_form_count(self) -> int:
        # Always one: a sign-in may create the AccountLimit row while the page is open.
        return 1

    @cached_property
    def account(self) -> AccountLimit:
        account = self.queryset.first() or AccountLimit(pk=self.instance.pk, limit=None)
        account._state.adding = False
        return account

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        return {**super().get_form_kwargs(index), "instance": self.account}

    def save(self, commit: bool = True) -> list[Any]:
        super().save(commit)
        [form] = self.forms
        if not form.has_changed():
            return []
        limit, by = form.cleaned_data["limit"], administrator(self.request)
        ended = len(registry.set_limit(self.instance, limit, by=by))
        # Django adds this change to the user's history in the admin.
        self.changed_objects = [(form.instance, form.changed_data)]
        if ended:
            text = ngettext(
                "%(count)d session beyond the limit was ended.",
                "%(count)d sessions beyond the limit were ended.",
                ended,
            )
            messages.success(self.request, text % {"count": ended})
        return []


class AccountLimitInline(LimitInlineBase):
    """
    An admin inline for editing a user's session limit on the user's admin page.

    Administrators need the permission ``change_accountlimit`` to edit the limit, and
    ``view_accountlimit`` to see it. Saving a lower limit ends the sessions that exceed
    the limit. ``UserSessionInline`` shows how to add both inlines.
    """

    model = AccountLimit
    formset = AccountLimitFormSet
    template = "admin/session_limit/accountlimit/inline.html"
    fieldsets = ((gettext_lazy("Session limit"), {"fields": ("limit",)}),)
    has_add_permission = has_delete_permission = deny

    def get_readonly_fields(
        self, request: HttpRequest, obj: Model | None = None
    ) -> tuple[str, ...]:
        return () if self.has_change_permission(request, obj) else ("limit",)

    def get_formset(
        self, request: HttpRequest, obj: Model | None = None, **kwargs: Any
    ) -> Any:
        help_text = gettext_lazy(
            "How many sessions this user may have at once. Empty: as many as the "
            "project says. Sessions beyond a lower limit end straight away."
        )
        kwargs["help_texts"] = {"limit": help_text}
        formset: Any = super().get_formset(request, obj, **kwargs)
        formset.request = request
        return formset


class UserSessionFormSet(UnsavedFormSet):
    """
    A read-only formset that lists sessions and ignores the submitted data.

    A session that ends while the page is open would otherwise make the form invalid.
    """

    # The maximum number of sessions in the list, which begins with the newest one.
    shown = 20
    queryset: QuerySet[UserSession]

    def __init__(self, data: Any = None, files: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def get_queryset(self) -> QuerySet[UserSession]:
        if not hasattr(self, "_queryset"):
            self._queryset = self.queryset[: self.shown]
        return self._queryset

    def is_valid(self) -> bool:
        return True


class UserSessionInline(Columns, SessionInlineBase):
    """
    An admin inline that lists a user's newest live sessions on the user's admin page.

    Administrators need the permission ``view_usersession``. In ``admin.py``::

        from session_limit.admin import AccountLimitInline, UserSessionInline

        @admin.register(User)
        class AccountAdmin(UserAdmin):
            inlines = [*UserAdmin.inlines, AccountLimitInline, UserSessionInline]
    """

    model = UserSession
    formset = UserSessionFormSet
    template = "admin/session_limit/usersession/inline.html"
    verbose_name_plural = gettext_lazy("live sessions")
    ordering = ("-pk",)
    extra = 0
    show_change_link = True
    has_delete_permission = deny

    def has_view_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        # The page that adds a user passes None, since the user does not exist yet.
        return obj is not None and super().has_view_permission(request, obj)

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        address = self.address_column(request)
        return ["device_name", address, "signed_in", "last_active"]

    def get_queryset(self, request: HttpRequest) -> UserSessionQuerySet:
        # Django's version calls has_view_permission() without obj, which returns False.
        return UserSession.objects.live().order_by(*self.get_ordering(request))

    def get_formset(
        self, request: HttpRequest, obj: Model | None = None, **kwargs: Any
    ) -> Any:
        assert obj is not None  # has_view_permission() ensures it
        audit.viewed(obj.pk, by=administrator(request))
        return super().get_formset(request, obj, **kwargs)
