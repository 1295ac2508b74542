"""
Show a user's sessions and their individual session limit on the user's admin page.
"""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User

from session_limit.admin import AccountLimitInline, UserSessionInline

admin.site.unregister(User)


@admin.register(User)
class AccountAdmin(UserAdmin):
    inlines = [*UserAdmin.inlines, AccountLimitInline, UserSessionInline]
