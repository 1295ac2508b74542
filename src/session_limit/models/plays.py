"""Define the model for plays, which are playbacks of limited content."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self, TypeAlias

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from session_limit.models.database_clock import DatabaseNow
from session_limit.models.end_reasons import PlayEndReason
from session_limit.models.ids import uuid7
from session_limit.models.moments import UTCDateTimeField
from session_limit.models.sessions import RegistryQuerySet, UserSession
from session_limit.policy import LiveSession

# How far the clock of a server may be ahead of the database's clock.
CLOCKS_APART = timedelta(seconds=60)


class PlayQuerySet(RegistryQuerySet["Play"]):
    """A queryset of playbacks of limited content, with filters by state."""

    def open(self) -> Self:
        """Return the plays without a recorded end, including those not renewed."""
        return self.filter(ended_at=None)

    def leased(self) -> Self:
        """Return the plays that have no recorded end and were renewed in time."""
        return self.open().filter(lease_until__gt=DatabaseNow())

    def begun(self) -> Self:
        """Return the plays, except those that were stopped before they began."""
        return self.exclude(lease_until__lt=models.F("started_at"))

    def live(self) -> Self:
        """Return the plays that were renewed in time and belong to a live session."""
        return self.leased().filter(session__ended_at=None)


class Play(models.Model):
    """
    One playback of limited content by a session.

    A play counts towards the play limit while the player renews the play in time and
    the session is live. The row of a play that no longer counts does not change until
    the account starts another play or ``prunesessions`` runs. Only
    ``session_limit.registry`` writes these rows.

    The foreign keys have no constraint, and nothing cascades to a play. So a project
    without plays runs no statement for plays when an account or a session is deleted.
    """

    Reason: TypeAlias = PlayEndReason

    # A play's page is notified of these reasons only, and knows the others itself.
    HEARD = frozenset({PlayEndReason.DISPLACED, PlayEndReason.LIMIT_LOWERED})

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=_("user"),
    )
    session = models.ForeignKey(
        UserSession,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=_("session"),
    )
    scope = models.CharField(_("scope"), max_length=64, blank=True)
    # The project's name for the content.
    what = models.CharField(_("content"), max_length=200, blank=True)
    # By the database's clock, like all times in this row: see DatabaseNow.
    started_at = UTCDateTimeField(_("started"))
    lease_until = UTCDateTimeField(_("counts until"))
    ended_at = UTCDateTimeField(_("ended"), null=True, blank=True)
    ended_reason = models.CharField(
        _("reason"), max_length=24, choices=PlayEndReason.choices, blank=True
    )
    ended_by_play = models.UUIDField(null=True, blank=True, editable=False)

    objects = PlayQuerySet.as_manager()

    class Meta:
        verbose_name = _("play")
        verbose_name_plural = _("plays")
        indexes = [
            # For play(), which reads the open plays of an account, however many have
            # ended, and its plays that ended after a given time.
            models.Index(fields=["user", "ended_at"], name="session_limit_playing"),
            # For prune() and the sweep, which read plays that ended before or after a
            # given time, and open plays (NULL) that have lapsed.
            models.Index(
                fields=["ended_at", "lease_until"], name="session_limit_lapse"
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    def end_reason(self, session_ended_at: datetime | None = None) -> PlayEndReason:
        """
        Return the reason why this play, which must no longer count, has ended.

        If the row records no reason, either the lease or the session ended first.
        ``session_ended_at`` is when the session ended, or ``None`` if the session is
        live or its row was deleted.
        """
        if self.ended_reason:
            return PlayEndReason(self.ended_reason)
        if session_ended_at is None:
            return PlayEndReason.LAPSED
        # A server's clock sets session_ended_at, and may be up to CLOCKS_APART ahead of
        # the database's clock, which sets the lease.
        lapsed_before = self.lease_until + CLOCKS_APART < session_ended_at
        return PlayEndReason.LAPSED if lapsed_before else PlayEndReason.SESSION_ENDED

    def facts(self) -> LiveSession:
        """Return the facts about this play that are needed to enforce the limit."""
        # Players renew their leases automatically, so a renewal is no sign of activity.
        return LiveSession(
            id=self.pk, created_at=self.started_at, last_active_at=self.started_at
        )
