"""Read the application server's clock."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone


def utc_now() -> datetime:
    """Return the current time of this server's clock."""
    return timezone.now()
