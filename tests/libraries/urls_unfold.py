"""Register the admin with django-unfold's classes, as docs/how-to/admin.md shows."""

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin
from unfold.admin import ModelAdmin, StackedInline, TabularInline

from session_limit.admin import (
    AccountLimitInline,
    UserSessionAdmin,
    UserSessionInline,
)
from session_limit.models import UserSession


class SessionAdmin(UserSessionAdmin, ModelAdmin):
    pass


class SessionInline(UserSessionInline, TabularInline):
    pass


class LimitInline(AccountLimitInline, StackedInline):
    pass


class PersonAdmin(UserAdmin, ModelAdmin):
    inlines = [LimitInline, SessionInline]


for model, model_admin in [
    (UserSession, SessionAdmin),
    (get_user_model(), PersonAdmin),
]:
    admin.site.unregister(model)
    admin.site.register(model, model_admin)

from tests.libraries.urls import urlpatterns  # noqa: E402, F401 once registered
