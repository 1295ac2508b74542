"""Replay recorded sessions under other limits."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from session_limit.models import Play, UserSession
from session_limit.policy.replay import Run, replay
from tests.stories.people import make_user

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def run(start, end, scope=""):
    """Return a run between two hours, counted from Monday."""
    started = MONDAY + timedelta(hours=start)
    return Run(started, MONDAY + timedelta(hours=end), scope, started.date())


def days(*numbers):
    return frozenset(date(2026, 11, 23) + timedelta(days=number) for number in numbers)


def counted(accounts, limit, shown=None):
    """
    Return the number of accounts affected, of sessions displaced and of those refused.
    """
    outcome = replay(accounts, [limit], shown or days(0, 1, 2)).outcomes[limit]
    return outcome.accounts, outcome.displaced.total(), outcome.refused.total()


@pytest.mark.parametrize(
    ("runs", "limit", "expected"),
    [
        ([], 1, (0, 0, 0)),
        ([run(1, 2), run(3, 4)], 1, (0, 0, 0)),
        ([run(1, 3), run(3, 4)], 1, (0, 0, 0)),  # the first ends when the second begins
        ([run(1, 5), run(2, 6)], 1, (1, 1, 1)),
        ([run(1, 5), run(2, 6)], 2, (0, 0, 0)),
        # Each displaces the one before. If sign-ins are refused, only the first runs.
        ([run(1, 9), run(2, 9), run(3, 9), run(4, 9)], 1, (1, 3, 3)),
        # A refused run does not stand in the way of the third, but a displacing one
        # does.
        ([run(1, 3), run(2, 9), run(4, 5)], 1, (1, 2, 1)),
        ([run(1, 9, "phone"), run(2, 9, "computer")], 1, (0, 0, 0)),
        ([run(1, 9, "phone"), run(2, 9, "phone"), run(2, 9)], 1, (1, 1, 1)),
    ],
)
def test_one_account(runs, limit, expected):
    assert counted([runs], limit) == expected


def test_accounts_do_not_meet():
    assert counted([[run(1, 9)], [run(2, 9)]], 1) == (0, 0, 0)


def test_per_day():
    runs = [run(1, 60), run(2, 60), run(26, 60)]
    result = replay([runs], [1], days(0, 1, 2))
    assert result.starts == {date(2026, 11, 23): 2, date(2026, 11, 24): 1}
    assert result.outcomes[1].displaced == {
        date(2026, 11, 23): 1,
        date(2026, 11, 24): 1,
    }
    # A run that began before the days is active when they begin, and is not counted.
    result = replay([runs], [1], days(1))
    assert (result.accounts, result.starts.total()) == (1, 1)
    assert result.outcomes[1].refused == {date(2026, 11, 24): 1}


def naive(runs, limit, *, displaces):
    """Compute the same, one start after another."""
    met, open_ = 0, []
    for number, each in enumerate(sorted(runs)):
        taking = [o for o in open_ if o[0].ended > each.started]
        if len(taking) >= limit:
            met += 1
            if not displaces:
                continue
            taking.remove(min(taking, key=lambda o: (o[0].started, o[1])))
        open_ = [*taking, (each, number)]
    return met


def test_whatever_the_history():
    chance = random.Random(6)
    for _ in range(300):
        runs = []
        for _ in range(chance.randrange(12)):
            start = chance.randrange(40)
            runs.append(run(start, start + chance.randrange(1, 12)))
        limit = chance.randrange(1, 4)
        _, displaced, refused = counted([runs], limit)
        assert displaced == naive(runs, limit, displaces=True)
        assert refused == naive(runs, limit, displaces=False)


def record(user, hours_ago, lasting=None, **fields):
    began = timezone.now() - timedelta(hours=hours_ago)
    ended = None if lasting is None else began + timedelta(hours=lasting)
    return UserSession.objects.create(
        user=user,
        created_at=began,
        ended_at=ended,
        ended_reason="signed_out" if ended else "",
        expires_at=began + timedelta(days=14),
        **fields,
    )


def command(*args):
    out = StringIO()
    call_command("sessionpolicy", *args, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_the_command():
    ada, bob = make_user("ada"), make_user("bob")
    record(ada, 5)
    record(ada, 4)
    record(ada, 3)
    record(ada, 2, counted=False)
    record(bob, 5, lasting=1)
    record(bob, 3)
    said = command("--what-if", "2, 1", "--days", "3")
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert lines[1] == "Recorded: 5 sign-ins, accounts: 2"
    assert "1 1 (50.0%) 2 (40.0%) 2 (40.0%)" in lines, said
    assert "2 1 (50.0%) 1 (20.0%) 1 (20.0%)" in lines, said
    assert "Limit 1, per day" in lines
    assert "Note" not in said
    assert "SESSION_LIMIT_RETENTION" in command("--what-if", "1", "--days", "40")


@pytest.mark.django_db
def test_nothing_is_recorded():
    assert "Recorded: 0 sign-ins, accounts: 0" in command("--what-if", "1")


@pytest.mark.django_db
def test_plays(settings):
    settings.SESSION_LIMIT_PLAYS = 1
    ada = make_user("ada")
    session = record(ada, 5)
    now = timezone.now()
    for minutes, ended_at in ((50, None), (40, now), (30, now)):
        Play.objects.create(
            user=ada,
            session=session,
            started_at=now - timedelta(minutes=minutes),
            # The first lease ran out before the second play began.
            lease_until=now - timedelta(minutes=45) if ended_at is None else now,
            ended_at=ended_at,
        )
    said = " ".join(command("--what-if", "1", "--plays").split())
    assert "Recorded: 3 plays, accounts: 1" in said
    assert "1 1 (100.0%) 1 (33.3%) 1 (33.3%)" in said


@pytest.mark.django_db
@pytest.mark.parametrize(
    "args",
    [
        ("--what-if", "0"),
        ("--what-if", ""),
        ("--what-if", "1,x"),
        ("--what-if", "1.5"),
        ("--what-if", "-1"),
        ("--what-if", "1", "--days", "0"),
        ("--what-if", "1", "--days", "9999999"),
        ("--what-if", "1", "--plays"),
        (),
    ],
)
def test_what_cannot_be(args):
    with pytest.raises(CommandError):
        command(*args)
