"""Define ``AccountLimit``: an account's own limit, and the row that sign-ins lock."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class AccountLimit(models.Model):
    """
    The database row that a sign-in locks, with the account's own session limit. If
    ``limit`` is set, it replaces ``SESSION_LIMIT`` and ``Rules.limit()`` in every scope
    (group of sessions that are counted together).
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="+",
        verbose_name=_("user"),
    )
    # Database defaults, because the statement that locks the row returns these values.
    limit = models.PositiveIntegerField(
        _("limit"),
        null=True,
        blank=True,
        db_default=None,
        validators=[MinValueValidator(1)],
    )
    locked_at = models.DateTimeField(default=timezone.now, editable=False)
    password_changed_at = models.DateTimeField(
        null=True, editable=False, db_default=None
    )

    class Meta:
        verbose_name = _("account limit")
        verbose_name_plural = _("account limits")

    def __str__(self) -> str:
        return f"{self.pk}: {self.limit}"
