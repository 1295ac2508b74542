"""An account's sessions, as its owner sees them from one of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from session_limit import registry
from session_limit.client import device_label
from session_limit.models import UserSession
from session_limit.verify import read_live, registry_alias

MAX_ENDED = 10
# For so long, what was ended is news.
NEWS = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Overview:
    """
    ``others``: most recently active first. ``ended``: recently, the newest first.
    ``in_use``: how many take a place where ``current`` is counted, which ``limit`` is
    of.
    """

    current: UserSession
    others: list[UserSession]
    ended: list[UserSession]
    limit: int | None
    in_use: int

    @classmethod
    def of(cls, user: AbstractBaseUser, current: UserSession) -> Overview:
        """Return the sessions of ``user``, whose ``current`` one is: three reads."""
        sessions = UserSession.objects.using(registry_alias()).for_user(user)
        others = others_than(current)
        scope = current.scope
        return cls(
            current=current,
            others=others,
            ended=list(sessions.recently_ended()[:MAX_ENDED]),
            limit=registry.limit_of(user, scope),
            in_use=sum(row.takes_place_in(scope) for row in (current, *others)),
        )


def others_than(current: UserSession) -> list[UserSession]:
    """Return its account's other sessions, but those whose time is up already."""
    return [row for row in read_live(current.user_id) if row.pk != current.pk]


def told_of(user: AbstractBaseUser, id: UUID) -> str:
    """
    Return what is told of the end of the session with this id, and of those that were
    ended with it: nothing where it is not an ended one of ``user``'s, so that nobody
    else's link puts words on the page.
    """
    ended = UserSession.objects.using(registry_alias()).ended().for_user(user)
    row = ended.filter(pk=id).first()
    if row is None or row.ended_at is None:
        return ""
    device = device_label(row.device)
    is_news = timezone.now() - row.ended_at < NEWS
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
