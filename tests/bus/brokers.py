"""Start Redis servers for one test: one alone, some with Sentinels, or a Cluster."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.drivers import library

redis = library("redis")

# In seconds: how long to wait before a test fails.
PATIENCE = 15.0
MASTER = "mymaster"
# A password of characters that are special in a URL, to test that it is parsed as a
# whole and never shown.
PASSWORD = "s3cr:t/@?#%"
# Write nothing to the disk, and serve a replica without Redis's default pause of 5 s.
VOLATILE = "save ''", "repl-diskless-sync-delay 0"
QUOTED = "s3cr%3At%2F%40%3F%23%25"


@dataclass(frozen=True)
class Server:
    """A ``redis-server`` that a test has started."""

    port: int
    process: subprocess.Popen[bytes]
    password: str | None = None

    @property
    def url(self) -> str:
        """Return the server's URL, with user and password if it has a password."""
        credentials = f"default:{QUOTED}@" if self.password else ""
        return f"redis://{credentials}127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        """Return a client that tries each command once."""
        return redis.Redis(
            port=self.port,
            password=self.password,
            socket_timeout=2,
            retry=redis.retry.Retry(redis.backoff.NoBackoff(), 0),
            decode_responses=True,
            protocol=3,
        )

    def ask(self, *command: object) -> object:
        """Return the server's answer, or ``None`` if it does not answer."""
        with closing(self.client()) as client, suppress(redis.RedisError):
            return client.execute_command(*command)
        return None

    def kill(self) -> None:
        """Kill the server without warning, as a power failure would."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """Suspend the server, which keeps its connections but does not answer."""
        self.process.send_signal(signal.SIGSTOP)


def until(holds: Callable[[], object], patience: float = PATIENCE) -> float:
    """Wait until ``holds()`` is true, and return how many seconds that took."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > patience:
            raise AssertionError("The condition was not met in time.")
        time.sleep(0.02)
    return time.monotonic() - began


@contextmanager
def started(
    directory: Path, *lines: str, password: str | None = None
) -> Iterator[Server]:
    """Run a server with these configuration lines on a free port."""
    port = _free_port()
    home = directory / str(port)
    home.mkdir()
    configuration = home / "redis.conf"
    secret = [f'requirepass "{password}"'] if password else []
    common = [f"port {port}", "bind 127.0.0.1", f"dir {home}", "loglevel warning"]
    configuration.write_text("\n".join([*common, *secret, *lines]) + "\n")
    command = ["redis-server", str(configuration)]
    if any(line.startswith("sentinel") for line in lines):
        command.append("--sentinel")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    server = Server(port, process, password)
    try:
        until(lambda: server.ask("PING"))
        yield server
    finally:
        server.kill()


def _free_port() -> int:
    # A node of a Cluster also listens on the port 10,000 above its own.
    while True:
        port = random.randrange(20_000, 32_000)
        with (
            suppress(OSError),
            socket.create_server(("127.0.0.1", port)),
            socket.create_server(("127.0.0.1", port + 10_000)),
        ):
            return port


@dataclass(frozen=True)
class Watched:
    """A master and its replica, watched by three Sentinels."""

    data: list[Server]
    sentinels: list[Server]

    @property
    def url(self) -> str:
        """Return the URL by which the Sentinels know the master."""
        credentials = f"default:{QUOTED}@" if self.data[0].password else ""
        return f"redis://{credentials}{MASTER}/0"

    @property
    def options(self) -> dict[str, object]:
        """Return the ``OPTIONS`` of a bus that uses these servers."""
        return {"url": self.url, "sentinels": [each.url for each in self.sentinels]}

    @property
    def master(self) -> Server:
        """Return the server that most Sentinels report as the master."""
        named = [
            answer[1]
            for each in self.sentinels
            if (answer := each.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER))
        ]
        port = max(set(named), key=named.count)
        return next(each for each in self.data if str(each.port) == port)


@contextmanager
def watched(directory: Path, password: str | None = None) -> Iterator[Watched]:
    """Run a master, its replica and three Sentinels that agree on them."""
    with ExitStack() as stack:

        def start(*lines: str) -> Server:
            return stack.enter_context(started(directory, *lines, password=password))

        between = [f'masterauth "{password}"'] if password else []
        master = start(*VOLATILE, *between)
        replica = start(*VOLATILE, *between, f"replicaof 127.0.0.1 {master.port}")
        known = [
            f'sentinel auth-pass {MASTER} "{password}"',
            f'sentinel sentinel-pass "{password}"',
        ]
        sentinels = [
            start(
                f"sentinel monitor {MASTER} 127.0.0.1 {master.port} 2",
                f"sentinel down-after-milliseconds {MASTER} 500",
                f"sentinel failover-timeout {MASTER} 2000",
                *(known if password else []),
            )
            for _ in range(3)
        ]

        def is_ready(sentinel: Server) -> bool:
            state = sentinel.ask("SENTINEL", "MASTER", MASTER)
            return (
                isinstance(state, dict)
                and int(state["num-slaves"]) == 1
                and int(state["num-other-sentinels"]) == 2
            )

        until(lambda: all(is_ready(each) for each in sentinels))
        yield Watched([master, replica], sentinels)


@contextmanager
def cluster(directory: Path, *, replicated: bool = False) -> Iterator[list[Server]]:
    """Run a Cluster of three masters, each with a replica if it is ``replicated``."""
    with ExitStack() as stack:
        lines = "cluster-enabled yes", "cluster-node-timeout 1000", *VOLATILE
        count = 6 if replicated else 3
        nodes = [stack.enter_context(started(directory, *lines)) for _ in range(count)]
        slots = [(0, 5460), (5461, 10922), (10923, 16383)]
        for number, (node, (first, last)) in enumerate(zip(nodes, slots, strict=False)):
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            node.ask("CLUSTER", "ADDSLOTSRANGE", first, last)
        for node in nodes[1:]:
            node.ask("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)

        def is_ready(node: Server) -> bool:
            info = str(node.ask("CLUSTER", "INFO"))
            return "cluster_state:ok" in info and f"known_nodes:{count}" in info

        until(lambda: all(is_ready(each) for each in nodes))
        for master, replica in zip(nodes, nodes[3:], strict=False):
            replica.ask("CLUSTER", "REPLICATE", master.ask("CLUSTER", "MYID"))
            until(lambda server=replica: "connected" in str(server.ask("ROLE")))
        yield nodes
