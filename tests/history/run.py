"""Run and record one history: hosts, services, servers, clients and faults."""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.history import servers as served
from tests.history.clients import Client, World
from tests.history.databases import MariaDB, PostgreSQL
from tests.history.faults import CLOCKS, Nemesis
from tests.history.history import Recorder, Run
from tests.history.network import CHECKER, hosts
from tests.history.observer import Observer
from tests.history.proxy import Proxy
from tests.history.servers import LIMIT, PLAYS, ROOT, Server, environment
from tests.history.services import PgBouncer, Redis, lacks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.history.databases import Database
    from tests.history.network import Host

DATABASES = "postgresql", "pgbouncer", "mariadb"
# "none" is the default bus, which reaches no other process.
BACKENDS = {
    "redis": "session_limit.bus.redis.RedisBus",
    "postgres": "session_limit.bus.postgres.PostgresBus",
    "none": "session_limit.bus.memory.MemoryBus",
}
SERVERS = 3
# Numbers of busy and of calm accounts, and of the browsers of each account.
BUSY, BROWSERS = 4, 4
CALM, CALM_BROWSERS = 2, 2
# After the last fault, in seconds: how long the clients continue, and how long their
# connections stay open after that, so that each can hear of an ending.
GO_ON, HOLD = 3.0, 4.0

# A user without a password. The view signs users in without one.
NEW_USER = """
    INSERT INTO auth_user (username, password, first_name, last_name, email,
                           is_superuser, is_staff, is_active, date_joined)
    VALUES ('user-{0}', '!', '', '', '', FALSE, FALSE, TRUE, CURRENT_TIMESTAMP)
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """The parameters of a run."""

    database: str
    bus: str
    seed: int
    seconds: float
    # A name in project/broken.py.
    broken: str = ""


def check(plan: Plan) -> str:
    """Return why a plan cannot be run, or the empty string."""
    if plan.bus == "postgres" and plan.database != "postgresql":
        return "LISTEN needs PostgreSQL, and does not work through PgBouncer."
    return lacks()


def run(plan: Plan, directory: Path) -> Path:
    """
    Run a plan, and return the path of its history.

    Call this inside the namespace of ``network.enter()``.
    """
    path = directory / "history.jsonl"
    recorder = Recorder(path)
    recorder.add(
        Run(
            database=plan.database,
            bus=plan.bus,
            seed=plan.seed,
            seconds=plan.seconds,
            servers=SERVERS,
            browsers=BUSY * BROWSERS + CALM * CALM_BROWSERS,
            broken=plan.broken,
            limit=LIMIT,
            play_limit=PLAYS,
        )
    )
    names = {f"server-{number}": 11 + number for number in range(SERVERS)}
    there = hosts({**names, "database": 21, "redis": 22, "pgbouncer": 23})
    with contextlib.closing(recorder), _services(plan, there, directory) as found:
        asyncio.run(_run(plan, there, directory, found, recorder))
    return path


@dataclass(slots=True)
class Services:
    """The services that the servers use, and the users in the database."""

    database: Database
    broker: Redis | None
    bouncer: PgBouncer | None
    users: list[str]


@contextlib.contextmanager
def _services(
    plan: Plan, there: dict[str, Host], directory: Path
) -> Iterator[Services]:
    with contextlib.ExitStack() as stack:

        def started(service: Any) -> Any:
            stack.callback(service.stop)
            service.start()
            return service

        kind = MariaDB if plan.database == "mariadb" else PostgreSQL
        database = started(kind(there["database"], directory))
        database.create()
        settings = database.settings(database.host.address, database.port)
        subprocess.run(
            [sys.executable, "-m", "django", "migrate", "--verbosity=0"],
            cwd=ROOT,
            env=environment(settings, {"BACKEND": BACKENDS["none"]}),
            check=True,
        )
        broker = bouncer = None
        if plan.bus == "redis":
            broker = started(Redis(there["redis"], directory))
        if plan.database == "pgbouncer":
            target = CHECKER, BEHIND_BOUNCER
            bouncer = PgBouncer(there["pgbouncer"], directory, target)
        yield Services(database, broker, bouncer, _users(database))


def _users(database: Database) -> list[str]:
    """Create the users, and return their primary keys."""
    with contextlib.closing(database.connect()) as connection:
        cursor = connection.cursor()
        for number in range(BUSY + CALM):
            cursor.execute(NEW_USER.format(number))
        cursor.execute("SELECT id FROM auth_user ORDER BY id")
        return [str(id) for (id,) in cursor.fetchall()]


# First ports of the proxies. Each server has one to the database and one to the broker.
TO_DATABASE, TO_BROKER, BEHIND_BOUNCER = 5500, 6500, 5600


async def _run(
    plan: Plan,
    there: dict[str, Host],
    directory: Path,
    services: Services,
    recorder: Recorder,
) -> None:
    draw = random.Random(plan.seed)
    async with contextlib.AsyncExitStack() as stack:

        async def proxy(port: int, host: str, target: int) -> Proxy:
            made = Proxy(port, host, target)
            await made.start()
            stack.push_async_callback(made.stop)
            return made

        database, behind = services.database, None
        front: Any = database
        if services.bouncer is not None:
            behind = await proxy(BEHIND_BOUNCER, database.host.address, database.port)
            front = services.bouncer
            stack.callback(front.stop)
            await asyncio.to_thread(front.start)
        servers = []
        for number in range(SERVERS):
            to_database = await proxy(
                TO_DATABASE + number, front.host.address, front.port
            )
            to_broker = None
            if services.broker is not None:
                broker = services.broker
                to_broker = await proxy(
                    TO_BROKER + number, broker.host.address, broker.port
                )
            server = Server(
                number,
                there[f"server-{number}"],
                directory,
                _environment(plan, database, number),
                to_database,
                to_broker,
            )
            server.set_clock(draw.uniform(*CLOCKS))
            stack.callback(server.kill)
            server.begin()
            servers.append(server)
        await asyncio.gather(*(asyncio.to_thread(each.wait) for each in servers))
        nemesis = Nemesis(
            servers,
            database,
            services.broker,
            services.bouncer,
            behind,
            recorder,
            random.Random(plan.seed + 1),
        )
        observer = Observer(database, recorder)
        observer.start()
        addresses = [(each.host.address, served.PORT) for each in servers]
        users = services.users
        world = World(addresses, users[:BUSY], users[BUSY:], recorder, draw)
        await _let_them(plan, world, nemesis)
        await asyncio.to_thread(observer.stop)


def _environment(plan: Plan, database: Database, number: int) -> dict[str, str]:
    """Return the environment of a server that connects through its proxies."""
    settings = database.settings(CHECKER, TO_DATABASE + number)
    if plan.database == "pgbouncer":
        settings["DISABLE_SERVER_SIDE_CURSORS"] = True
    bus: dict[str, Any] = {"BACKEND": BACKENDS[plan.bus]}
    if plan.bus == "redis":
        bus["OPTIONS"] = {"url": f"redis://{CHECKER}:{TO_BROKER + number}/0"}
    broken = {"HISTORY_BROKEN": plan.broken} if plan.broken else {}
    return {**environment(settings, bus), **broken}


async def _let_them(plan: Plan, world: World, nemesis: Nemesis) -> None:
    """Run the clients while faults are injected, and for a while after that."""
    users = world.busy * BROWSERS + world.calm * CALM_BROWSERS
    clients = [Client(world, user) for user in users]
    working = [asyncio.ensure_future(each.live()) for each in clients]
    working.append(asyncio.ensure_future(world.administrate()))
    working.append(asyncio.ensure_future(nemesis.watch_machine()))
    try:
        await nemesis.work(until=world.recorder.now() + plan.seconds)
        await asyncio.sleep(GO_ON)
    finally:
        for task in working:
            task.cancel()
        results = await asyncio.gather(*working, return_exceptions=True)
    await asyncio.sleep(HOLD)
    held = [task for each in clients for task in each.stop("open")]
    await asyncio.gather(*held, return_exceptions=True)
    for result in results:
        if not isinstance(result, asyncio.CancelledError) and isinstance(
            result, BaseException
        ):
            raise result
