"""The session engines, and the settings of a project that uses one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks import contenders


@dataclass(frozen=True, slots=True)
class Engine:
    """
    A session engine.

    Args:
        name: The name in this package.
        kind: The name of Django's engine, or of the one that it stands in for.
        cache: The cache that it needs.
        of: The contender that brings the engine, if it is not Django's.
    """

    name: str
    kind: str
    cache: str | None = None
    of: str | None = None

    def configure(self, settings: dict[str, Any]) -> None:
        settings["SESSION_ENGINE"] = contenders.ENGINES[self.kind]

    def configure_last(self, settings: dict[str, Any]) -> None:
        """Replace Django's engine by another package's, below the contender."""
        if self.of is not None:
            contenders.BY_NAME[self.of].configure(settings)


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
# The engines on which contenders are compared.
COMPARED = ("db", "cached_db", "cache_redis")


def supported(contender: contenders.Contender) -> list[Engine]:
    """Return the engines that a contender is tried on; this package runs on all."""
    if contender is contenders.OURS:
        return list(ENGINES.values())
    engines = [ENGINES[name] for name in COMPARED]
    return [engine for engine in engines if engine.kind in contender.engines]
