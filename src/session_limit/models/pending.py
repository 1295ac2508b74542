"""A row per sign-in that waits."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from session_limit.models.deletion import cascade_unlisted
from session_limit.models.ids import uuid7


class PendingSignIn(models.Model):
    """
    A sign-in past authentication that waits for a person to choose what to sign out.
    It is nobody, and no session's data tell of it: only a cookie of its own leads here.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=cascade_unlisted, related_name="+"
    )
    # Keyed digests of the secret in the cookie, and of the user agent it was given to.
    secret = models.CharField(max_length=32, unique=True)
    user_agent = models.CharField(max_length=32)
    # What it was authenticated by, and a digest of the hash of the credentials.
    backend = models.CharField(max_length=255)
    credentials = models.CharField(max_length=32)
    scope = models.CharField(max_length=64, blank=True)
    # What the sign-in's request had put into the session, and what that held before, as
    # the session encodes it.
    data = models.TextField(blank=True)
    next = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("pending sign-in")
        verbose_name_plural = _("pending sign-ins")

    def __str__(self) -> str:
        return str(self.pk)
