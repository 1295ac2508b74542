"""The session engines, and what a project sets to keep its sessions there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks import contenders
from benchmarks.contenders import base


@dataclass(frozen=True, slots=True)
class Engine:
    """
    One engine on one kind of cache, if it has any. ``kind`` is its name among those
    that a contender says it supports; ``of`` the contender whose engine it is, where it
    is not Django's.
    """

    name: str
    kind: str
    cache: str | None = None
    of: str | None = None

    def configure(self, settings: dict[str, Any]) -> None:
        settings["SESSION_ENGINE"] = base.ENGINES[self.kind]

    def configure_last(self, settings: dict[str, Any]) -> None:
        """Put another's engine in the place of Django's, under whoever is measured."""
        if self.of is not None:
            contenders.get(self.of).configure(settings)


ENGINES = {
    engine.name: engine
    for engine in [
        Engine("db", "db"),
        Engine("cached_db", "cached_db", "redis"),
        Engine("cache_redis", "cache", "redis"),
        Engine("cache_memcached", "cache", "memcached"),
        Engine("file", "file"),
        Engine("signed_cookies", "signed_cookies"),
        Engine("qsessions_db", "db", of="qsessions-db"),
        Engine("qsessions_cached_db", "cached_db", "redis", of="qsessions-cached-db"),
    ]
}


# Those that a contender is compared on: what its cost is measured on, too.
COMPARED = ("db", "cached_db", "cache_redis")


def supported(contender: contenders.Contender) -> list[Engine]:
    """Return the engines that a contender is tried on: all of them for this package."""
    if contender.name == contenders.OURS.name:
        return list(ENGINES.values())
    engines = [ENGINES[name] for name in COMPARED]
    return [engine for engine in engines if engine.kind in contender.engines]
