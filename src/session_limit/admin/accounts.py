"""On a user's page: the account's own limit, and its live sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin, messages
from django.forms.models import BaseInlineFormSet
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy, ngettext

from session_limit import audit, registry
from session_limit.admin.columns import Columns, administrator
from session_limit.models import AccountLimit, UserSession

if TYPE_CHECKING:
    from django.db.models import Model, QuerySet
    from django.http import HttpRequest

    from session_limit.models import UserSessionQuerySet

    LimitFormSetBase = BaseInlineFormSet[AccountLimit, Any, forms.ModelForm[Any]]
    SessionFormSetBase = BaseInlineFormSet[UserSession, Any, forms.ModelForm[Any]]
    LimitInlineBase = admin.StackedInline[AccountLimit, Any]
    SessionInlineBase = admin.TabularInline[UserSession, Any]
    LimitFormBase = forms.ModelForm[AccountLimit]
else:
    LimitFormBase = forms.ModelForm
    LimitFormSetBase = SessionFormSetBase = BaseInlineFormSet
    LimitInlineBase, SessionInlineBase = admin.StackedInline, admin.TabularInline

# Of an account with more, the newest.
SHOWN = 20


class AccountLimitForm(LimitFormBase):
    class Meta:
        model = AccountLimit
        fields = ("limit",)
        help_texts = {
            "limit": gettext_lazy(
                "How many sessions this user may have at once. Empty: as many as the "
                "project says. Sessions beyond a lower limit end straight away."
            )
        }


class AccountLimitFormSet(LimitFormSetBase):
    """
    One form, whether the account has a row or not: a sign-in creates it, even while
    the page is open. Saved by the registry, which ends what a lower limit leaves no
    place for.
    """

    request: HttpRequest
    queryset: QuerySet[AccountLimit]

    @classmethod
    def get_default_prefix(cls) -> str:
        # Of the relation's name, which has none, Django would make "-1".
        return "accountlimit"

    def initial_form_count(self) -> int:
        return 0

    def total_form_count(self) -> int:
        return 1

    @cached_property
    def account(self) -> AccountLimit:
        account = self.queryset.first() or AccountLimit(pk=self.instance.pk, limit=None)
        account._state.adding = False
        return account

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        return {**super().get_form_kwargs(index), "instance": self.account}

    def save(self, commit: bool = True) -> list[AccountLimit]:
        self.new_objects, self.changed_objects, self.deleted_objects = [], [], []
        [form] = self.forms
        if not form.has_changed():
            return []
        limit, by = form.cleaned_data["limit"], administrator(self.request)
        ended = len(registry.set_limit(self.instance, limit, by=by))
        # What the page's history says was changed.
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
    """An account's own limit, for who has ``change_accountlimit``."""

    model = AccountLimit
    form = AccountLimitForm
    formset = AccountLimitFormSet
    template = "admin/session_limit/accountlimit/inline.html"
    fieldsets = ((gettext_lazy("Session limit"), {"fields": ("limit",)}),)
    can_delete = False

    def has_add_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        return False

    def get_readonly_fields(
        self, request: HttpRequest, obj: Model | None = None
    ) -> tuple[str, ...]:
        return () if self.has_change_permission(request, obj) else ("limit",)

    def get_formset(
        self, request: HttpRequest, obj: Model | None = None, **kwargs: Any
    ) -> type[AccountLimitFormSet]:
        formset = super().get_formset(request, obj, **kwargs)
        formset = cast("type[AccountLimitFormSet]", formset)
        formset.request = request
        return formset


class UserSessionFormSet(SessionFormSetBase):
    """What is shown, and never sent: what ends meanwhile is nobody's mistake."""

    shown = SHOWN
    queryset: QuerySet[UserSession]

    @classmethod
    def get_default_prefix(cls) -> str:
        # Of the relation's name, which has none, Django would make "-1".
        return "usersession"

    def __init__(self, data: Any = None, files: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def get_queryset(self) -> QuerySet[UserSession]:
        if not hasattr(self, "_queryset"):
            self._queryset = self.queryset[: self.shown]
        return self._queryset

    def is_valid(self) -> bool:
        return True

    def save(self, commit: bool = True) -> list[UserSession]:
        self.new_objects, self.changed_objects, self.deleted_objects = [], [], []
        return []


class UserSessionInline(Columns, SessionInlineBase):
    """A user's live sessions, newest first, for who has ``view_usersession``."""

    model = UserSession
    formset = UserSessionFormSet
    template = "admin/session_limit/usersession/inline.html"
    verbose_name_plural = gettext_lazy("live sessions")
    ordering = ("-pk",)
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        return False

    def has_change_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        return False

    def has_view_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        # Who is being added has none.
        return obj is not None and super().has_view_permission(request, obj)

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        address = self.address_column(request)
        return ["device_name", address, "created_at", "last_active_at"]

    def get_readonly_fields(
        self, request: HttpRequest, obj: Model | None = None
    ) -> list[Any]:
        return self.get_fields(request, obj)

    def get_queryset(self, request: HttpRequest) -> UserSessionQuerySet:
        # Django's own asks for the permission once more, without saying whose page.
        return UserSession.objects.live().order_by(*self.get_ordering(request))

    def get_formset(
        self, request: HttpRequest, obj: Model | None = None, **kwargs: Any
    ) -> Any:
        assert obj is not None  # has_view_permission() has seen to it
        audit.viewed(obj.pk, by=administrator(request))
        return super().get_formset(request, obj, **kwargs)
