"""Define the model for sessions of signed-in browsers, apps and API clients."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

from django.conf import settings
from django.db import models, router
from django.utils.translation import gettext_lazy as _

from session_limit.conf import conf
from session_limit.models.database_clock import DatabaseNow
from session_limit.models.deletion import cascade_unlisted
from session_limit.models.end_reasons import EndReason
from session_limit.models.ids import uuid7
from session_limit.models.moments import UTCDateTimeField
from session_limit.policy import LiveSession
from session_limit.utils.clock import utc_now

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

M = TypeVar("M", bound=models.Model)

# How long lists mark a session as new.
NEW = timedelta(days=1)

# How long after its key was recorded a session may have no data in the store. A request
# records the key first, and stores the data with its response. If a view takes longer
# than this after login(), another sign-in under "deny" or "ask" may be admitted in its
# place. If a process is killed before its response, the sign-in counts towards the
# limit for this long.
STORED_WITHIN = timedelta(minutes=2)


def taking_place_in(scope: str) -> models.Q:
    """Return a ``Q`` object for sessions that count towards the limit of ``scope``."""
    return models.Q(counted=True, scope=scope)


def _tenfold(now: datetime) -> models.Func:
    """Return a database expression for ten times the time since a session's expiry."""
    late = models.Value(now, UTCDateTimeField()) - models.F("expires_at")
    # Django cannot multiply a duration on every database.
    return models.Func(
        late, template="10 * (%(expressions)s)", output_field=models.DurationField()
    )


def registry_alias() -> str:
    """
    Return the alias of the database to which sessions and plays are written.

    Code that makes decisions about sessions must read from this database. A replica
    that lags behind would still show an ended session as live.
    """
    return router.db_for_write(UserSession)


class RegistryQuerySet(models.QuerySet[M]):
    """A queryset of rows that are written to the same database as sessions."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Django reads a queryset for a write from the database that is written to, and
        # packages that cache queries (django-cacheops) do not cache such a queryset. A
        # cache would still show an ended session as live.
        self._for_write = True

    def primary(self) -> Self:
        """Return a queryset that uses the database to which the rows are written."""
        return self.using(registry_alias())


class UserSessionQuerySet(RegistryQuerySet["UserSession"]):
    """A queryset of sessions with filters by state and user."""

    def live(self) -> Self:
        return self.filter(ended_at=None)

    def live_with_id(self, id: uuid.UUID) -> Self:
        """Return a queryset of the session with this id, if not marked as ended."""
        # ended_reason has no index, so MariaDB finds the row by its primary key and
        # locks no other rows.
        return self.filter(pk=id, ended_reason="")

    def ended(self) -> Self:
        return self.exclude(ended_at=None)

    def in_time(self, now: datetime) -> Self:
        """Return the sessions that have not expired by ``now``."""
        # store.liveness.Row.is_due() makes the same decision for a single row.
        granted = models.Q(expires_at__gt=now - conf.touch_interval)
        # As in Row.touch_interval: a tenth of the idle timeout, if that is shorter.
        idle = models.Q(expires_reason=EndReason.IDLE)
        is_idle_in_time = idle & models.Q(timeout__gt=_tenfold(now))
        other = ~models.Q(expires_reason__in=[EndReason.ABSOLUTE, EndReason.IDLE])
        return self.alias(
            timeout=models.F("expires_at") - models.F("last_active_at")
        ).filter(models.Q(expires_at__gt=now) | granted & (is_idle_in_time | other))

    def unsaved(
        self, rows: Iterable[UserSession], within: timedelta = STORED_WITHIN
    ) -> set[uuid.UUID]:
        """
        Return the ids of those ``rows`` that may be too new to have stored data.

        The request that recorded a session's key stores the data when the request
        finishes, which is expected ``within`` this time. This method reads the
        database's clock.
        """
        recorded = {row.pk: row.key_recorded_at for row in rows if not row.was_stored}
        found = self.filter(pk__in=recorded) if any(recorded.values()) else self.none()
        now = dict(found.values_list("pk", DatabaseNow()))
        # A row that is newer than the transaction's snapshot is not found.
        return {
            id
            for id, recorded_at in recorded.items()
            if recorded_at and (id not in now or recorded_at + within > now[id])
        }

    def recently_ended(self) -> Self:
        """Return the sessions that ended within the retention period, newest first."""
        kept = self.filter(ended_at__gt=utc_now() - conf.retention)
        return kept.order_by("-ended_at", "-pk")

    def for_user(self, user: AbstractBaseUser) -> Self:
        return self.filter(user_id=user.pk)


class UserSession(models.Model):
    """
    One signed-in browser, app or API client.

    A session is live until it ends. The row of an ended session records the reason for
    the ending until ``prunesessions`` deletes the row. Only ``session_limit.registry``
    writes these rows.
    """

    Reason: TypeAlias = EndReason

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=cascade_unlisted,
        related_name="+",
        db_index=False,
        verbose_name=_("user"),
    )
    # The engine's key, to find and delete the stored session. Ended rows have none.
    session_key = models.CharField(max_length=40, null=True, editable=False)
    # A keyed digest of session_key, to recognise the cookie of an ended session.
    key_digest = models.CharField(max_length=32, blank=True, editable=False)
    # A keyed digest of the previous key, which another tab may still send.
    former_digest = models.CharField(max_length=32, null=True, editable=False)
    # When the key was recorded, by the database's clock. See STORED_WITHIN.
    key_recorded_at = UTCDateTimeField(null=True, editable=False)
    # Which session store holds the stored session, if known. See store_id().
    store = models.CharField(max_length=32, null=True, editable=False)
    # A keyed digest that recognizes the browser in a sign-in that comes without the
    # session cookie.
    browser = models.CharField(max_length=32, null=True, editable=False)
    # A digest of the session's HASH_SESSION_KEY. It distinguishes the session from a
    # copy that was made before its credentials changed.
    credentials = models.CharField(max_length=32, blank=True, editable=False)
    scope = models.CharField(_("scope"), max_length=64, blank=True)
    # False for sessions that are exempt from the limit, such as impersonations.
    counted = models.BooleanField(_("counted"), default=True)
    # Whether the user had signed in before this row was made, for example before the
    # package was installed. The session then counts as older than all others.
    adopted = models.BooleanField(_("adopted"), default=False)

    created_at = UTCDateTimeField(_("signed in"), default=utc_now)
    authenticated_at = UTCDateTimeField(_("credentials last given"), default=utc_now)
    last_active_at = UTCDateTimeField(_("last active"), default=utc_now)
    expires_at = UTCDateTimeField(_("expires"))
    expires_reason = models.CharField(
        max_length=24, choices=EndReason.choices, default=EndReason.EXPIRED
    )

    # The id of a newer sign-in from a browser that is new to the account. This session
    # has not shown the notice of that sign-in yet.
    notice = models.UUIDField(null=True, blank=True, editable=False)

    ended_at = UTCDateTimeField(_("ended"), null=True, blank=True)
    ended_reason = models.CharField(
        _("reason"), max_length=24, choices=EndReason.choices, blank=True
    )
    # A primary key as text. With a foreign key, deleting a user would search all rows.
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
            # load() joins the row to the stored session by its key. Ended rows have no
            # key, and a unique index allows any number of NULLs.
            models.UniqueConstraint(
                fields=["session_key"], name="session_limit_unique_key"
            ),
        ]
        indexes = [
            # For the live rows of an account, however many ended ones it has, for its
            # recently ended ones, and for rows that are deleted with their user.
            models.Index(fields=["user", "ended_at"], name="session_limit_account"),
            # For prune() and the sweep, which read rows that ended before or after a
            # given time, and live rows (NULL) that have expired.
            models.Index(fields=["ended_at", "expires_at"], name="session_limit_due"),
            # For the ended session that had the key in a cookie.
            models.Index(fields=["key_digest"], name="session_limit_digest"),
            # For the session of a tab that signs out after another tab changed the key.
            models.Index(fields=["former_digest"], name="session_limit_former"),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def is_live(self) -> bool:
        """Whether this session has no recorded end, even if the session has expired."""
        return self.ended_at is None

    @property
    def is_new(self) -> bool:
        """Whether the session is live and the user signed in less than a day ago."""
        age = utc_now() - self.created_at
        return self.is_live and not self.adopted and age < NEW

    @property
    def was_ended_by_owner(self) -> bool:
        """Whether the account's owner ended this session from another session."""
        is_revoked = self.ended_reason == EndReason.REVOKED
        return is_revoked and self.ended_by == str(self.user_id)

    @property
    def was_stored(self) -> bool:
        """Whether data is known to have been stored under the session's first key."""
        # Activity is recorded when a response has stored the data or a later request
        # has read them. A change of key sets former_digest.
        return self.former_digest is None and self.last_active_at > self.created_at

    def takes_place_in(self, scope: str) -> bool:
        """Return whether this session counts towards the limit of ``scope``."""
        return self.counted and self.scope == scope

    def facts(self) -> LiveSession:
        """Return the facts about this session that are needed to enforce the limit."""
        return LiveSession(
            id=self.pk,
            created_at=self.created_at,
            last_active_at=self.last_active_at,
            adopted=self.adopted,
        )
