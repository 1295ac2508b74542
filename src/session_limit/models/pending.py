"""Define the model for sign-ins that wait for the user to choose a session to end."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from session_limit.models.deletion import cascade_unlisted
from session_limit.models.ids import uuid7
from session_limit.models.moments import UTCDateTimeField
from session_limit.models.sessions import RegistryQuerySet
from session_limit.utils.clock import utc_now


class PendingSignIn(models.Model):
    """
    A sign-in with valid credentials that waits for the user to choose sessions to end.

    A pending sign-in gives no access yet. Only a cookie in the browser that began the
    sign-in refers to the pending sign-in. Stored sessions do not.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=cascade_unlisted, related_name="+"
    )
    # Keyed digests of the secret in the cookie, and of the user agent that received it.
    secret = models.CharField(max_length=32, unique=True)
    user_agent = models.CharField(max_length=32)
    # The path of the authentication backend, and a digest of Django's session hash.
    backend = models.CharField(max_length=255)
    credentials = models.CharField(max_length=32)
    scope = models.CharField(max_length=64, blank=True)
    # The data that the request of the sign-in wrote into the session, and the data from
    # before, encoded by the session engine.
    data = models.TextField(blank=True)
    next = models.TextField(blank=True)
    created_at = UTCDateTimeField(default=utc_now)
    expires_at = UTCDateTimeField(db_index=True)

    objects = RegistryQuerySet["PendingSignIn"].as_manager()

    class Meta:
        verbose_name = _("pending sign-in")
        verbose_name_plural = _("pending sign-ins")

    def __str__(self) -> str:
        return str(self.pk)
