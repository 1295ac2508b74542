"""Read an account's sessions for the page that lists them to the account's owner."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Count, Window
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from session_limit import registry
from session_limit.client.device import device_label
from session_limit.models import (
    UserSession,
    UserSessionQuerySet,
    taking_place_in,
)
from session_limit.store.queries import live_of
from session_limit.utils.clock import utc_now

# The number of live sessions on a page.
PAGE = 50
MAX_ENDED = 10
# A longer number is not a valid page, and a database may not accept it.
MAX_DIGITS = 9
# After this time, the page no longer reports an ending as if it had just happened.
NEWS = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Overview:
    """
    One page of the list of an account's live sessions.

    ``current`` is the session of the request, and comes first on the first page.
    ``others`` are the other sessions on this page, most recently active first.
    ``ended`` are recently ended sessions, latest first. ``count`` is the number of live
    sessions on all pages. ``in_use`` is the number of sessions that count towards
    ``limit``, the limit for ``current``. ``next_page`` and ``previous_page`` are page
    numbers, or ``None`` if there is no such page.
    """

    current: UserSession
    others: list[UserSession]
    ended: list[UserSession]
    limit: int | None
    in_use: int
    count: int
    next_page: int | None
    previous_page: int | None

    @classmethod
    def of(
        cls, user: AbstractBaseUser, current: UserSession, page: str | None = None
    ) -> Overview:
        """
        Return one page of the sessions of ``user`` as an ``Overview``.

        ``page`` is the requested page number, as a string. An invalid number means the
        first page, and a number that is too large means the last page. This method
        executes three statements, however many sessions there are.
        """
        number = _number(page)
        others = _others_on(number, current)
        if number > 1 and not others:
            # Sessions may have ended after the link to this page was rendered.
            number = -(-usage(current)[0] // PAGE)
            others = _others_on(number, current)
        count, in_use = (others[0].total, others[0].taking) if others else (0, 0)
        sessions = UserSession.objects.primary().for_user(user)
        return cls(
            current=current,
            others=others,
            ended=list(sessions.recently_ended()[:MAX_ENDED]),
            limit=registry.limit_of(user, current.scope),
            in_use=in_use + current.counted,
            count=count + 1,
            next_page=number + 1 if count + 1 > number * PAGE else None,
            previous_page=number - 1 if number > 1 else None,
        )

    @property
    def sessions(self) -> list[UserSession]:
        """Return this page's sessions, with ``current`` first on the first page."""
        if self.previous_page is not None:
            return self.others
        return [self.current, *self.others]


def _number(page: str | None) -> int:
    """Return ``page`` as a number, or 1 if ``page`` is not a valid page number."""
    if page is None or not page.isdecimal() or len(page) > MAX_DIGITS:
        return 1
    return max(int(page), 1)


def _others_on(number: int, current: UserSession) -> list[Any]:
    """
    Return the other live sessions on page ``number`` of the list of sessions.

    Each session has two more attributes, so that one statement reads and counts.
    ``total`` is the number of sessions on all pages without ``current``. ``taking`` is
    the number of those sessions that count towards the limit.
    """
    counts = {
        "total": Window(Count("pk")),
        "taking": Window(Count("pk", filter=taking_place_in(current.scope))),
    }
    rows = others_than(current).annotate(**counts)
    end = number * PAGE - 1
    return list(rows.order_by("-last_active_at", "-pk")[max(end - PAGE, 0) : end])


def usage(current: UserSession) -> tuple[int, int]:
    """
    Return how many live sessions an account has, and how many of these sessions count.

    The second number covers the sessions that count towards the limit for ``current``.
    Exempted sessions do not count.
    """
    others = others_than(current).aggregate(
        total=Count("pk"),
        taking=Count("pk", filter=taking_place_in(current.scope)),
    )
    return others["total"] + 1, others["taking"] + current.counted


def others_than(current: UserSession) -> UserSessionQuerySet:
    """Return the live sessions of the account of ``current``, except ``current``."""
    return live_of(current.user_id).exclude(pk=current.pk)


def done_message(user: AbstractBaseUser, id: UUID) -> str:
    """
    Return the sentence that confirms that a session was ended.

    The sentence includes the number of sessions that ended together. A URL can contain
    any ``id``, so return ``""`` for a live session or a session of another user.
    """
    ended = UserSession.objects.primary().ended().for_user(user)
    row = ended.filter(pk=id).first()
    if row is None or row.ended_at is None:
        return ""
    device = device_label(row.device)
    is_news = utc_now() - row.ended_at < NEWS
    if not (row.was_ended_by_owner and is_news):
        return _("Signed out already: %(device)s.") % {"device": device}
    count = ended.filter(
        ended_at=row.ended_at, ended_reason=row.ended_reason, ended_by=row.ended_by
    ).count()
    if count == 1:
        return _("Signed out: %(device)s.") % {"device": device}
    return ngettext(
        "Signed out: %(count)d device.", "Signed out: %(count)d devices.", count
    ) % {"count": count}
