from __future__ import annotations

from django.conf import settings
from django.db import models


class LoggedInUser(models.Model):
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="logged_in_user",
    )
    session_key = models.CharField(max_length=32, null=True, blank=True)

    def __str__(self) -> str:
        return str(self.user)
