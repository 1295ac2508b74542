"""Define the reasons why sessions and plays end."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class EndReason(models.TextChoices):
    """The reasons why a session ends."""

    SIGNED_OUT = "signed_out", _("signed out")
    DISPLACED = "displaced", _("displaced by a newer sign-in")
    REVOKED = "revoked", _("ended from elsewhere")
    PASSWORD_CHANGED = "password_changed", _("password changed")
    CREDENTIALS_CHANGED = "credentials_changed", _("credentials changed")
    ACCOUNT_DISABLED = "account_disabled", _("account disabled")
    LIMIT_LOWERED = "limit_lowered", _("limit lowered")
    EXPIRED = "expired", _("expired")
    IDLE = "idle", _("idle for too long")
    ABSOLUTE = "absolute", _("signed in for too long")


class PlayEndReason(models.TextChoices):
    """The reasons why a play (a playback of limited content) ends."""

    STOPPED = "stopped", _("stopped")
    DISPLACED = "displaced", _("displaced by a newer play")
    LIMIT_LOWERED = "limit_lowered", _("limit lowered")
    LAPSED = "lapsed", _("not heard of any more")
    SESSION_ENDED = "session_ended", _("its session ended")
