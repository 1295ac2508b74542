"""Add an admin that shows a user's sessions to the stories' project."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.urls import path

from session_limit.admin import (
    AccountLimitInline,
    UserSessionAdmin,
    UserSessionInline,
)
from session_limit.models import UserSession
from tests.stories.urls import urlpatterns as stories

User = get_user_model()
is_django_user = settings.AUTH_USER_MODEL == "auth.User"


class UserAdmin(DjangoUserAdmin if is_django_user else admin.ModelAdmin):
    inlines = [AccountLimitInline, UserSessionInline]
    if not is_django_user:
        fields = ["is_active"]


site = admin.AdminSite()
site.register(User, UserAdmin)
site.register(UserSession, UserSessionAdmin)

urlpatterns = [
    path("admin/", site.urls),
    *(each for each in stories if getattr(each, "namespace", None) != "admin"),
]
