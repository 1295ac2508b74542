"""Define the model for the session limit of a single account."""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from session_limit.models.moments import UTCDateTimeField
from session_limit.models.sessions import RegistryQuerySet
from session_limit.utils.clock import utc_now


class AccountLimitQuerySet(RegistryQuerySet["AccountLimit"]):
    """A queryset of the limits of accounts."""


class AccountLimit(models.Model):
    """
    The session limit of one account.

    If ``limit`` is set, the value replaces ``SESSION_LIMIT`` and ``Rules.limit()`` in
    every scope (group of sessions with a common limit). Each sign-in locks this row.
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
    locked_at = UTCDateTimeField(default=utc_now, editable=False)
    password_changed_at = UTCDateTimeField(null=True, editable=False, db_default=None)

    objects = AccountLimitQuerySet.as_manager()

    class Meta:
        verbose_name = _("account limit")
        verbose_name_plural = _("account limits")

    def __str__(self) -> str:
        return f"{self.pk}: {self.limit}"


# Django leaves a primary key out of a fixture's fields. A fixture with natural keys has
# to name the user, whose primary key may be another one where the fixture is loaded.
cast("Any", AccountLimit._meta.get_field("user")).serialize = True
