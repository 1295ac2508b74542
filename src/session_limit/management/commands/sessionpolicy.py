"""The command that tests other limits against the recorded sessions or plays."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet
from django.utils import timezone

from session_limit.conf import conf
from session_limit.models import Play, UserSession
from session_limit.policy.replay import Run, WhatIf, replay
from session_limit.utils.clock import local, utc_now

# The number of accounts that one query reads.
PAGE = 1000

# The widths of a count and of the longest bar. Two of each fit into 80 characters.
COUNT, BAR = 9, 16


class Command(BaseCommand):
    help = (
        "Show how many accounts and sign-ins other limits would have affected, from "
        "the recorded sessions. Writes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--what-if",
            required=True,
            metavar="LIMITS",
            help="The limits to try, separated by commas, such as 1,2,3,5.",
        )
        parser.add_argument(
            "--plays",
            action="store_true",
            help="Try the limits on plays instead of sessions.",
        )
        parser.add_argument(
            "--days",
            type=int,
            default=28,
            help="How many days to show, up to today (default: 28).",
        )

    def handle(self, *, what_if: str, plays: bool, days: int, **options: Any) -> None:
        limits = _limits(what_if)
        today = _day(utc_now())
        if not 1 <= days <= today.toordinal():
            raise CommandError(f"--days must be a number of days from 1, not {days}.")
        if plays and not conf.uses_plays():
            raise CommandError(
                "SESSION_LIMIT_PLAYS is not set, so no plays are recorded. Set it to "
                "None to record plays without a limit."
            )
        shown = [today - timedelta(days=ago) for ago in reversed(range(days))]
        if plays:
            begun = Play.objects.primary().begun()
            accounts = _accounts(begun, "started_at", "lease_until")
        else:
            counted = UserSession.objects.primary().filter(counted=True)
            accounts = _accounts(counted, "created_at", "expires_at")
        result = replay(accounts, limits, frozenset(shown))
        for line in _lines(result, shown, "plays" if plays else "sign-ins"):
            self.stdout.write(line)


def _limits(text: str) -> list[int]:
    """
    Return the limits in a string such as "1,2,5" as a sorted list without duplicates.

    Raises ``CommandError`` if ``text`` is not a list of whole numbers from 1.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names and all(name.isdecimal() and int(name) >= 1 for name in names):
        return sorted({int(name) for name in names})
    raise CommandError(
        f"--what-if takes whole numbers from 1, separated by commas, not {text!r}."
    )


def _day(moment: datetime) -> date:
    """Return the local date of ``moment``, in the zone that the report names."""
    return local(moment).date()


def _accounts(rows: QuerySet[Any], started: str, until: str) -> Iterator[list[Run]]:
    """
    For each account, yield a list of its recorded sessions or plays.

    ``started`` and ``until`` name the columns that hold the start and the expiry.
    """
    # Each query reads PAGE accounts, using the index that begins with the user. For a
    # single query, MySQL's driver would load all rows into memory, and PostgreSQL would
    # keep a copy of them on disk.
    columns = ("user_id", "scope", started, "ended_at", until, "ended_reason")
    users = rows.order_by("user_id").values_list("user_id", flat=True).distinct()
    page = list(users[:PAGE])
    while page:
        of_page = rows.filter(user_id__gte=page[0], user_id__lte=page[-1])
        values = of_page.order_by("user_id").values_list(*columns)
        for _, account in itertools.groupby(values, key=operator.itemgetter(0)):
            yield [_run(*facts) for _, *facts in account]
        page = list(users.filter(user_id__gt=page[-1])[:PAGE])


def _run(
    scope: str,
    started: datetime,
    ended_at: datetime | None,
    until: datetime,
    reason: str,
) -> Run:
    # The limit does not count expired rows, even if their end is recorded later.
    ended = until if ended_at is None else min(ended_at, until)
    if reason == UserSession.Reason.DISPLACED:  # a play's reason has the same value
        # The row still counted towards the limit when the newer one was recorded.
        ended += timedelta(seconds=1)
    return Run(started, ended, scope, _day(started))


def _lines(result: WhatIf, days: Sequence[date], noun: str) -> Iterator[str]:
    """Yield the report's lines: a table of all limits, then a plot for each limit."""
    starts = result.starts.total()
    yield f"What if: {days[0]} to {days[-1]} ({timezone.get_current_timezone_name()})"
    yield f"Recorded: {starts} {noun}, accounts: {result.accounts}"
    # Rows that ended on this day or earlier may have been deleted.
    pruned = _day(utc_now() - conf.retention)
    if days[0] <= pruned:
        yield (
            f"Note: rows that ended on {pruned} or earlier are deleted or soon will be "
            "(SESSION_LIMIT_RETENTION).\nThe days up to then show too little."
        )
    yield ""
    yield f"{'limit':>5}  {'accounts touched':>20}  {'displaced':>20}  {'refused':>20}"
    for limit, outcome in result.outcomes.items():
        touched = _share(outcome.accounts, result.accounts)
        displaced = _share(outcome.displaced.total(), starts)
        refused = _share(outcome.refused.total(), starts)
        yield f"{limit:>5}  {touched:>20}  {displaced:>20}  {refused:>20}"
    # All plots use one scale, so that readers can compare them.
    most = max(
        count
        for outcome in result.outcomes.values()
        for day in days
        for count in (outcome.displaced[day], outcome.refused[day])
    )
    for limit, outcome in result.outcomes.items():
        if not outcome.accounts:
            yield f"\nLimit {limit}: no account would have been affected."
            continue
        yield f"\nLimit {limit}, per day"
        wide = COUNT + 1 + BAR
        yield (
            f"{'':<10}  {noun:>8}  {'displaced':>{COUNT}} {'':{BAR}}  "
            f"{'refused':>{COUNT}}"
        )
        for day in days:
            displaced = _bar(outcome.displaced[day], most)
            refused = _bar(outcome.refused[day], most)
            line = f"{day}  {result.starts[day]:>8}  {displaced:<{wide}}  {refused}"
            yield line.rstrip()


def _share(count: int, of: int) -> str:
    """Return a count and its percentage of a total, as in "5 (12.5%)"."""
    return f"{count} ({count / of if of else 0:.1%})"


def _bar(count: int, most: int) -> str:
    """Return a count with a bar of "#". The count ``most`` has the longest bar."""
    # A small count must not look like zero.
    length = max(1, round(BAR * count / most)) if count else 0
    return f"{count:>{COUNT}} {'#' * length}"
