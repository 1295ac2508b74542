"""A row per play: what a session does with guarded content, while it is leased."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from session_limit.models.database_clock import DatabaseNow
from session_limit.models.ids import uuid7
from session_limit.models.sessions import UserSession, registry_alias
from session_limit.policy import LiveSession

# For how long a play counts that is not renewed: so soon a crash frees its place.
LEASE = timedelta(seconds=30)
# How far a server's clock may be ahead of the database's.
CLOCKS_APART = timedelta(seconds=60)


class PlayQuerySet(models.QuerySet["Play"]):
    """Verbs for which plays count."""

    def primary(self) -> Self:
        """Return these rows from the database that writes them."""
        return self.using(registry_alias())

    def open(self) -> Self:
        """Narrow to those that nobody has ended; their time may be up all the same."""
        return self.filter(ended_at=None)

    def leased(self) -> Self:
        """Narrow to those that have been renewed in time, and not ended."""
        return self.open().filter(lease_until__gt=DatabaseNow())

    def begun(self) -> Self:
        """Narrow to those that have played: not what was stopped before it began."""
        return self.exclude(lease_until__lt=models.F("started_at"))

    def live(self) -> Self:
        """Narrow to those that count: leased, and their session is live."""
        return self.leased().filter(session__ended_at=None)


class Play(models.Model):
    """
    What a session does with guarded content. It counts while it is leased and its
    session is live: nothing is written where one of the two is over, before somebody
    needs the place. Only ``session_limit.registry`` writes it.

    It refers to rows without a constraint, and nothing cascades to it: who does not use
    plays pays no statement for them where an account or a session is deleted.
    """

    class Reason(models.TextChoices):
        STOPPED = "stopped", _("stopped")
        DISPLACED = "displaced", _("displaced by a newer play")
        LIMIT_LOWERED = "limit_lowered", _("limit lowered")
        LAPSED = "lapsed", _("not heard of any more")
        SESSION_ENDED = "session_ended", _("its session ended")

    # Why one ends whose browser does not know it yet.
    HEARD = frozenset({Reason.DISPLACED, Reason.LIMIT_LOWERED})

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
    # What is played, as the project names it.
    what = models.CharField(_("content"), max_length=200, blank=True)
    # By the database's clock, which decides: see DatabaseNow.
    started_at = models.DateTimeField(_("started"))
    lease_until = models.DateTimeField(_("counts until"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    ended_reason = models.CharField(
        _("reason"), max_length=24, choices=Reason.choices, blank=True
    )
    ended_by_play = models.UUIDField(null=True, blank=True, editable=False)

    objects = PlayQuerySet.as_manager()

    class Meta:
        verbose_name = _("play")
        verbose_name_plural = _("plays")
        indexes = [
            # play(): what an account plays now, however much it has played; and what
            # it has played since a moment.
            models.Index(fields=["user", "ended_at"], name="session_limit_playing"),
            # prune() and who listens: plays that ended before or since a moment, and
            # open ones (NULL) whose lease is over.
            models.Index(
                fields=["ended_at", "lease_until"], name="session_limit_lapse"
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    def unheard_reason(self, session_ended_at: datetime | None) -> Reason:
        """
        Return why this play has ended although its row is still open, or ``None``.

        The lease is by the database's clock, and the end of the session by the clock of
        the server that ended it, which may be ahead.
        """
        if session_ended_at is None:
            return self.Reason.LAPSED
        lapsed_before = self.lease_until + CLOCKS_APART < session_ended_at
        return self.Reason.LAPSED if lapsed_before else self.Reason.SESSION_ENDED

    def facts(self) -> LiveSession:
        """Return what the policy knows of it."""
        # A lease is renewed by itself: nothing tells which one somebody looks at.
        return LiveSession(
            id=self.pk, created_at=self.started_at, last_active_at=self.started_at
        )
