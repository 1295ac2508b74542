"""A row for each pending sign-in."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from session_limit.models.deletion import cascade_unlisted
from session_limit.models.ids import uuid7


class PendingSignIn(models.Model):
    """
    An authenticated sign-in that waits for a person to choose which sessions to end.

    It gives no access. No session's data mention it; only the browser's own cookie
    leads to this row.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=cascade_unlisted, related_name="+"
    )
    # Keyed digests of the secret in the cookie, and of the user agent it was given to.
    secret = models.CharField(max_length=32, unique=True)
    user_agent = models.CharField(max_length=32)
    # The authentication backend, and a digest of Django's hash of the credentials.
    backend = models.CharField(max_length=255)
    credentials = models.CharField(max_length=32)
    scope = models.CharField(max_length=64, blank=True)
    # What the sign-in's request put into the session, and what the session held before,
    # encoded by the session engine.
    data = models.TextField(blank=True)
    next = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("pending sign-in")
        verbose_name_plural = _("pending sign-ins")

    def __str__(self) -> str:
        return str(self.pk)
