"""
Make several hosts on one machine: network namespaces on a bridge.

The hosts cannot reach any other network. The bridge is in the namespace that runs the
checker. The names contain the process id, so that two runs never meet and the next run
can remove what a killed run has left behind.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PREFIX = "sl-history"
# Tells the process inside the namespace which run it belongs to.
RUN = "SESSION_LIMIT_HISTORY_RUN"
BRIDGE = "hub"
# Seconds that an interrupted run may take to end.
PATIENCE = 30
# The states of a bridge's port, as the kernel numbers them.
DISABLED, FORWARDING = 0, 3
# With these settings, TCP notices within a second that a partition has healed. The
# first is the longest pause, in milliseconds, before it sends lost data again (since
# Linux 6.15). The second is how often it does so for a connection that the process has
# closed. By default, TCP gives such a connection up once its pause is the longest.
TCP = {"tcp_rto_max_ms": "1000", "tcp_orphan_retries": "60"}
TCP_SETTINGS = Path("/proc/sys/net/ipv4")


def ip(*arguments: str, namespace: str = "") -> None:
    inside = ["-n", namespace] if namespace else []
    _run("ip", *inside, *arguments)


def _run(*command: str) -> str:
    """Run a command and return what it prints. Raises ``CalledProcessError``."""
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    return ran.stdout


def lacks() -> str:
    """Return why this machine cannot make network namespaces, or ``""``."""
    name = f"{PREFIX}-try-{os.getpid()}"
    try:
        ip("netns", "add", name)
        try:
            ip("link", "add", "left", "type", "veth", "peer", "right", namespace=name)
            ip("link", "add", BRIDGE, "type", "bridge", namespace=name)
        finally:
            ip("netns", "delete", name)
    except FileNotFoundError:
        return "no ip on the path (Debian: iproute2)"
    except subprocess.CalledProcessError as error:
        return error.stderr.strip() or "ip failed"
    return ""


def own(run: str = "") -> list[str]:
    """Return the names of the namespaces of ``run``, or of all runs."""
    listed = _run("ip", "netns", "list").splitlines()
    names = [line.split()[0] for line in listed if line.split()]
    return [name for name in names if name.startswith(f"{PREFIX}-{run}")]


def remove(name: str) -> None:
    """Kill the processes in a namespace, and delete it."""
    with contextlib.suppress(subprocess.CalledProcessError):
        for pid in map(int, _run("ip", "netns", "pids", name).split()):
            if namespace_of(pid) != namespace_of(os.getpid()):
                kill(pid)
        ip("netns", "delete", name)


def namespace_of(pid: int) -> str:
    """Return the kernel's name of the network namespace of a process."""
    with contextlib.suppress(FileNotFoundError):
        return str(Path(f"/proc/{pid}/ns/net").readlink())
    return ""


def kill(pid: int) -> None:
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        return


def directory_prefix() -> str:
    """Return the prefix of the name of this run's temporary directory."""
    return f"{PREFIX}-{os.getpid()}-"


def remove_stale() -> None:
    """Remove what earlier runs that were killed have left behind."""
    for name in own():
        found = re.match(rf"{PREFIX}-(?:try-)?(\d+)", name)
        if found and not Path(f"/proc/{found[1]}").exists():
            remove(name)
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}-*"):
        if not Path(f"/proc/{directory.name.split('-')[2]}").exists():
            shutil.rmtree(directory, ignore_errors=True)


def is_inside() -> bool:
    """Return whether this process is in the namespace of a run."""
    return RUN in os.environ


def enter(arguments: list[str]) -> int:
    """
    Run ``python -m tests.history`` with these arguments in a namespace of its own.

    Return its exit status. No namespace or process remains, whatever happens.
    """
    run = str(os.getpid())
    remove_stale()
    name = f"{PREFIX}-{run}-checker"
    ip("netns", "add", name)
    command = [sys.executable, "-m", "tests.history", *arguments]
    try:
        inside = ["ip", "netns", "exec", name, *command]
        child = subprocess.Popen(inside, env={**os.environ, RUN: run})
        try:
            return child.wait()
        except BaseException:
            # This process was interrupted or terminated. Let the child clean up.
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(PATIENCE)
            raise
    finally:
        for each in own(f"{run}-"):
            remove(each)


def tcp_settings() -> list[tuple[Path, str]]:
    """Return the settings in ``TCP`` that this kernel has, with their values."""
    settings = [(TCP_SETTINGS / name, value) for name, value in TCP.items()]
    return [(path, value) for path, value in settings if path.exists()]


class Host:
    """A network namespace with an address on the bridge."""

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.namespace = f"{PREFIX}-{os.environ[RUN]}-{name}"
        self.port = f"to-{name}"
        self.address = f"10.77.0.{number}"
        ip("netns", "add", self.namespace)
        inside = ["peer", "name", "eth0", "netns", self.namespace]
        ip("link", "add", self.port, "type", "veth", *inside)
        ip("link", "set", self.port, "master", BRIDGE, "up")
        ip(
            "address",
            "add",
            f"{self.address}/24",
            "dev",
            "eth0",
            namespace=self.namespace,
        )
        for device in ("lo", "eth0"):
            ip("link", "set", device, "up", namespace=self.namespace)
        for path, value in tcp_settings():
            _run(*self.command("sh", "-c", f"echo {value} > {path}"))

    def command(self, *command: str, user: str = "") -> list[str]:
        """Return a command that runs ``command`` on this host, as ``user`` if given."""
        drop = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
        return [
            *("ip", "netns", "exec", self.namespace),
            *(drop if user else []),
            *command,
        ]

    def isolate(self) -> None:
        """Silently drop every packet to and from this host."""
        self._set_state(DISABLED)

    def reconnect(self) -> None:
        self._set_state(FORWARDING)

    def _set_state(self, state: int) -> None:
        _run("bridge", "link", "set", "dev", self.port, "state", str(state))


def hosts(names: dict[str, int]) -> dict[str, Host]:
    """
    Create a host for each name, and return the hosts by name.

    ``names`` maps each name to the last number of the host's address. The calling
    process must be inside a namespace already. Its address ends in 1.
    """
    ip("link", "set", "lo", "up")
    ip("link", "add", BRIDGE, "type", "bridge")
    ip("address", "add", f"{CHECKER}/24", "dev", BRIDGE)
    ip("link", "set", BRIDGE, "up")
    for path, value in tcp_settings():
        path.write_text(value)
    return {name: Host(name, number) for name, number in names.items()}


CHECKER = "10.77.0.1"
