"""
Measure what the sweep costs and how late it tells: ``python -m benchmarks.sweep``.

One process holds the hub with so many connections, each a listener of a session of its
own. Another ends sessions there, with a clock that is wrong, or in a transaction that
takes long. No bus tells. ``--quick`` is for a try; otherwise the page is written.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from benchmarks import machine
from benchmarks.databases import connect, database
from benchmarks.environments import ROOT
from benchmarks.plays.renewing import postgres_seconds
from benchmarks.push.report import machine as described

PAGE = ROOT / "docs" / "explanation" / "sweep.md"
SIZES = (1, 1_000, 5_000, 20_000)
CLOCK = timedelta(minutes=1)
TEXT = """\
# What the sweep costs, and how late it tells

Written by `python -m benchmarks.sweep`. {machine}

Under every bus, each process asks the database once a second whether the sessions of
its connections are live, 2,000 at a time in rotation. So the sweep finds an ending
that no bus has announced within `ceil(connected / 2000)` seconds of its commit, plus
the time that the answer takes. This depends on no clock.

One process holds the connections, one session each, on PostgreSQL beside it; another
ends sessions. *PostgreSQL* and *hub* are how much of one core the database and the
process of the hub take. The delays are from the commit until the connection hears of
it: the worst of {endings} endings with a clock a minute ahead or behind, and the worst
of {endings} that one transaction of {slow:.0f} s has made.

{head}
{rows}

With plays, each session has one open.
"""
HEAD = (
    "connected",
    "plays",
    "statements/s",
    "PostgreSQL",
    "hub",
    "bound, s",
    "clocks apart, s",
    "long commit, s",
)


def setup(plays: bool) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.plays.project.settings"
    import django
    from django.conf import settings

    django.setup()
    if not plays:
        del settings.SESSION_LIMIT_PLAYS


def make(count: int, plays: bool) -> list[str]:
    """Make so many users with a live session each, and return the sessions' ids."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.utils import timezone

    from session_limit.models import Play, UserSession

    call_command("migrate", verbosity=0)
    model, later = get_user_model(), timezone.now() + timedelta(days=1)
    model.objects.bulk_create(model(username=f"user{n}") for n in range(count))
    found = [
        UserSession(user=user, expires_at=later, session_key=f"key{user.pk:029}")
        for user in model.objects.all()
    ]
    UserSession.objects.bulk_create(found, batch_size=1000)
    if plays:
        now = timezone.now()
        Play.objects.bulk_create(
            [
                Play(user_id=s.user_id, session=s, started_at=now, lease_until=later)
                for s in found
            ],
            batch_size=1000,
        )
    return [row.pk.hex for row in found]


def watch(count: int, plays: bool, seconds: float) -> None:
    """Hold the connections of so many sessions; report on standard output."""
    setup(plays)
    from uuid import UUID

    from django.db import connection
    from django.db.backends.utils import CursorWrapper

    from session_limit.asgi.hub import current_hub

    ids = make(count, plays)
    connection.close()
    statements = [0]
    execute = CursorWrapper._execute

    def counting(self: Any, *args: Any) -> Any:
        statements[0] += 1
        return execute(self, *args)

    CursorWrapper._execute = counting
    heard: dict[str, float] = {}

    async def hold() -> None:
        hub = current_hub()

        def listener(id: str) -> Any:
            return lambda reason: reason is not None and heard.update({id: time.time()})

        for id in ids:
            hub.join(UUID(id), listener(id))
        # Not verified one by one: what a connection costs when it is made is not
        # measured here.
        await asyncio.sleep(3)
        name = os.environ["BENCHMARKS_NAME"]
        with connect(name) as own:
            before, cpu = postgres_seconds(own, name), time.process_time()
            statements[0] = 0
            await asyncio.sleep(seconds)
            cost = {
                "statements": statements[0] / seconds,
                "postgres": (postgres_seconds(own, name) - before) / seconds,
                "hub": (time.process_time() - cpu) / seconds,
            }
        print(json.dumps({"cost": cost, "ids": ids}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        print(json.dumps(heard), flush=True)

    asyncio.run(hold())


def end(ids: list[str], slow: list[str], seconds: float) -> None:
    """End sessions as a process with wrong clocks does; print when each committed."""
    setup(plays=False)
    from threading import Thread
    from unittest import mock
    from uuid import UUID

    from django.db import connection, transaction
    from django.utils import timezone

    from session_limit import registry
    from session_limit.models import UserSession

    committed: dict[str, float] = {}
    now = timezone.now
    revoked = UserSession.Reason.REVOKED

    def late() -> None:
        with transaction.atomic():
            registry.end([UUID(id) for id in slow], revoked)
            time.sleep(seconds)
        committed.update(dict.fromkeys(slow, time.time()))
        connection.close()

    thread = Thread(target=late)
    thread.start()
    for number, id in enumerate(ids):
        time.sleep(random.uniform(0.2, 1.0))
        wrong = CLOCK if number % 2 else -CLOCK
        with mock.patch.object(timezone, "now", lambda wrong=wrong: now() + wrong):
            registry.end([UUID(id)], revoked)
        committed[id] = time.time()
    thread.join()
    print(json.dumps(committed), flush=True)


def run(*arguments: Any, environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.sweep", *map(str, arguments)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def measure(
    size: int, plays: bool, seconds: float, endings: int, slow: float
) -> dict[str, Any]:
    with database("postgresql", "sweep") as made:
        environment = made.environment
        with run("watch", size, int(plays), seconds, environment=environment) as held:
            assert held.stdin is not None
            assert held.stdout is not None
            said = json.loads(held.stdout.readline())
            ids = random.sample(said["ids"], min(size, 2 * endings))
            late = ids[endings:] or ids[:1]
            soon = [id for id in ids[:endings] if id not in late]
            told = {"soon": soon, "late": late, "seconds": slow}
            with run("end", json.dumps(told), environment=environment) as ended:
                committed = json.loads(ended.communicate()[0])
            time.sleep(size // 2000 + 4)
            held.stdin.write("\n")
            held.stdin.flush()
            heard = json.loads(held.stdout.readline())
    delays = {id: heard[id] - at for id, at in committed.items()}
    return {
        "size": size,
        "plays": plays,
        **said["cost"],
        "soon": max((delays[id] for id in soon), default=None),
        "late": max(delays[id] for id in late),
    }


def row(found: dict[str, Any]) -> str:
    soon = "" if found["soon"] is None else f"{found['soon']:.2f}"
    cells = [
        f"{found['size']:,}",
        "yes" if found["plays"] else "no",
        f"{found['statements']:.1f}",
        f"{found['postgres']:.3f}",
        f"{found['hub']:.3f}",
        max(1, -(-found["size"] // 2000)),
        soon,
        "" if found["plays"] else f"{found['late']:.2f}",
    ]
    return line(cells)


def line(cells: Sequence[Any]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def main(*, quick: bool) -> None:
    seconds, endings, slow = (3.0, 3, 3.0) if quick else (20.0, 30, 60.0)
    system, rows = machine.describe("python -m benchmarks.sweep"), []
    for size in SIZES[:2] if quick else SIZES:
        for plays in (False, True):
            late = seconds if plays else slow
            rows.append(row(measure(size, plays, seconds, endings, late)))
            print(rows[-1], flush=True)
    if not quick:
        text = TEXT.format(
            machine=described(system),
            rows="\n".join(rows),
            head="\n".join([line(HEAD), line(["---"] * len(HEAD))]),
            endings=endings,
            slow=slow,
        )
        PAGE.write_text(text)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["watch", size, plays, seconds]:
            watch(int(size), bool(int(plays)), float(seconds))
        case ["end", told]:
            given = json.loads(told)
            end(given["soon"], given["late"], given["seconds"])
        case arguments:
            main(quick=arguments == ["--quick"])
