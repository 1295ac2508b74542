"""A row per session."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models, router
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from session_limit.conf import conf
from session_limit.models.database_clock import DatabaseNow
from session_limit.models.deletion import cascade_unlisted
from session_limit.models.ids import uuid7
from session_limit.policy import LiveSession

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

# How old a sign-in is that is worth a second look.
NEW = timedelta(days=1)

# How long after its key was recorded a session may have no data in the store: a request
# records the key first, and stores the data with its response. A view that takes longer
# than this after login() may lose its sign-in to the next one under "deny" or "ask". A
# sign-in whose process was killed before its response keeps its place this long.
STORED_WITHIN = timedelta(minutes=2)


def taking_place_in(scope: str) -> models.Q:
    """Return the condition for a session that the limit of ``scope`` counts."""
    return models.Q(counted=True, scope=scope)


def _tenfold(now: datetime) -> models.Func:
    """Return ten times the duration between ``expires_at`` and ``now``."""
    late = models.Value(now) - models.F("expires_at")
    # Django cannot multiply a duration on every database.
    return models.Func(
        late, template="10 * (%(expressions)s)", output_field=models.DurationField()
    )


def registry_alias() -> str:
    """
    Return the alias of the database that writes the registry, which every read that
    decides something asks: on a replica that lags, an ended session would live on.
    """
    return router.db_for_write(UserSession)


class UserSessionQuerySet(models.QuerySet["UserSession"]):
    """Verbs for the two states, and whose sessions."""

    def primary(self) -> Self:
        """Return these rows from the database that writes them."""
        return self.using(registry_alias())

    def live(self) -> Self:
        return self.filter(ended_at=None)

    def live_with_id(self, id: uuid.UUID) -> Self:
        """
        Narrow to the live session with this id, told by a column without an index: so
        MariaDB finds it by its primary key, and locks nothing on the way.
        """
        return self.filter(pk=id, ended_reason="")

    def ended(self) -> Self:
        return self.exclude(ended_at=None)

    def in_time(self, now: datetime) -> Self:
        """
        Narrow to the sessions that have not expired by ``now``, which is exactly what
        ``verify.Row.is_due()`` says of a single row.
        """
        reason = UserSession.Reason
        granted = models.Q(expires_at__gt=now - conf.touch_interval)
        # An idle session has a tenth of its timeout if that is less.
        idle = models.Q(expires_reason=reason.IDLE)
        is_idle_in_time = idle & models.Q(timeout__gt=_tenfold(now))
        other = ~models.Q(expires_reason__in=[reason.ABSOLUTE, reason.IDLE])
        return self.alias(
            timeout=models.F("expires_at") - models.F("last_active_at")
        ).filter(models.Q(expires_at__gt=now) | granted & (is_idle_in_time | other))

    def recently_ended(self) -> Self:
        """Narrow to the tombstones that are still to be kept, the newest first."""
        kept = self.filter(ended_at__gt=timezone.now() - conf.retention)
        return kept.order_by("-ended_at", "-pk")

    def for_user(self, user: AbstractBaseUser) -> Self:
        return self.filter(user_id=user.pk)


class UserSession(models.Model):
    """
    One signed-in browser or app. Live until it has ended, then a tombstone that
    answers *why* until it is pruned. Only ``session_limit.registry`` writes it.
    """

    class Reason(models.TextChoices):
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

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=cascade_unlisted,
        related_name="+",
        db_index=False,
        verbose_name=_("user"),
    )
    # The engine's key, to find and delete what it stores: live rows only.
    session_key = models.CharField(max_length=40, null=True, editable=False)
    # Keyed digest of the same, to recognise the cookie of an ended session.
    key_digest = models.CharField(max_length=32, blank=True, editable=False)
    # The same of the key before the last rotation: another tab may still present it.
    former_digest = models.CharField(max_length=32, null=True, editable=False)
    # When the key was recorded, by the database's clock: see STORED_WITHIN.
    key_recorded_at = models.DateTimeField(null=True, editable=False)
    # Digest of the hash of the credentials that the session goes by: tells it from a
    # copy of it that was made before they were changed.
    credentials = models.CharField(max_length=32, blank=True, editable=False)
    scope = models.CharField(_("scope"), max_length=64, blank=True)
    # Whether it takes a place: an exempt one, or an impersonation, does not.
    counted = models.BooleanField(_("counted"), default=True)
    # Signed in before anybody recorded when: older than every recorded sign-in.
    adopted = models.BooleanField(_("adopted"), default=False)

    created_at = models.DateTimeField(_("signed in"), default=timezone.now)
    authenticated_at = models.DateTimeField(
        _("credentials last given"), default=timezone.now
    )
    last_active_at = models.DateTimeField(_("last active"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires"))
    expires_reason = models.CharField(
        max_length=24, choices=Reason.choices, default=Reason.EXPIRED
    )

    # A newer sign-in, from a browser that the account did not know, which this session
    # has not been told of yet.
    notice = models.UUIDField(null=True, blank=True, editable=False)

    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    ended_reason = models.CharField(
        _("reason"), max_length=24, choices=Reason.choices, blank=True
    )
    # A primary key as text, not a foreign key: deleting a user need not scan for it.
    ended_by = models.CharField(_("ended by"), max_length=255, blank=True)
    ended_by_session = models.UUIDField(null=True, blank=True, editable=False)

    address = models.GenericIPAddressField(_("address"), null=True, blank=True)
    device = models.CharField(_("device"), max_length=100, blank=True)
    device_class = models.CharField(_("device class"), max_length=16, blank=True)

    objects = UserSessionQuerySet.as_manager()

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        permissions = [
            ("end_usersession", _("Can end sessions")),
            ("view_address", _("Can see whole addresses")),
        ]
        constraints = [
            # load(): the row beside the stored session, by its key. Ended rows hold
            # no key, and a unique index takes any number of NULLs.
            models.UniqueConstraint(
                fields=["session_key"], name="session_limit_unique_key"
            ),
        ]
        indexes = [
            # admit(): the live rows of an account, however many ended ones it has;
            # an account's recently ended ones; what cascades from its user.
            models.Index(fields=["user", "ended_at"], name="session_limit_account"),
            # prune() and who listens for endings: rows ended before or since a
            # moment, and live rows (NULL) that are due.
            models.Index(fields=["ended_at", "expires_at"], name="session_limit_due"),
            # Which ended session had the key in this cookie?
            models.Index(fields=["key_digest"], name="session_limit_digest"),
            # A tab signs out with a key that another tab has rotated: which session?
            models.Index(fields=["former_digest"], name="session_limit_former"),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def is_live(self) -> bool:
        """Whether it counts and authenticates."""
        return self.ended_at is None

    @property
    def is_new(self) -> bool:
        """Whether it is live, and was signed in within a day."""
        age = timezone.now() - self.created_at
        return self.is_live and not self.adopted and age < NEW

    @property
    def was_ended_by_owner(self) -> bool:
        """Whether its owner ended it from elsewhere."""
        is_revoked = self.ended_reason == self.Reason.REVOKED
        return is_revoked and self.ended_by == str(self.user_id)

    def may_be_unsaved(self) -> bool:
        """
        Return whether the request that recorded the key may not have stored the data
        under it yet. Reads the database's clock.
        """
        if self.key_recorded_at is None:
            return False
        own = UserSession.objects.using(self._state.db).filter(pk=self.pk)
        now = own.values_list(DatabaseNow(), flat=True).first()
        # A snapshot does not show a row that is newer than it.
        return now is None or self.key_recorded_at + STORED_WITHIN > now

    def takes_place_in(self, scope: str) -> bool:
        """Return whether the limit of ``scope`` counts this session."""
        return self.counted and self.scope == scope

    def facts(self) -> LiveSession:
        """Return what the policy knows of it."""
        return LiveSession(
            id=self.pk,
            created_at=self.created_at,
            last_active_at=self.last_active_at,
            adopted=self.adopted,
        )
