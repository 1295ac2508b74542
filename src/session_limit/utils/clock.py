"""
Read the application server's clock, and convert times to UTC and to local time.

Inside the package, every ``datetime`` is aware and in UTC, even if ``USE_TZ`` is false.
"""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings
from django.utils import timezone


def utc_now() -> datetime:
    """Return the current time of this server's clock, in UTC."""
    return as_utc(timezone.now())


def as_utc(moment: datetime) -> datetime:
    """
    Return ``moment`` in UTC.

    A naive ``moment`` is local time in the project's time zone (``TIME_ZONE``). Its
    ``fold`` distinguishes the two hours that have the same name when clocks go back.
    """
    if moment.tzinfo is UTC:
        return moment
    if timezone.is_naive(moment):
        moment = timezone.make_aware(moment, timezone.get_default_timezone())
    return moment.astimezone(UTC)


def local(moment: datetime) -> datetime:
    """
    Return ``moment`` in the time zone in which the project shows times to people.

    This is Django's current time zone, or ``TIME_ZONE`` if ``USE_TZ`` is false.
    """
    # Without USE_TZ, Django's templates and admin show aware times unconverted.
    zone = None if settings.USE_TZ else timezone.get_default_timezone()
    return timezone.localtime(as_utc(moment), zone)
