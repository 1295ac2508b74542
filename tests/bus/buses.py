"""Settings for each of the buses, as a project would write them."""

from __future__ import annotations

from django.conf import settings

REDIS = "session_limit.bus.redis.RedisBus"
POSTGRES = "session_limit.bus.postgres.PostgresBus"
MEMORY = "session_limit.bus.memory.MemoryBus"


def setting(name, channel):
    """Return ``SESSION_LIMIT_BUS`` for the bus with this name."""
    if name == "redis":
        options = {"url": settings.REDIS_URL, "channel": channel}
        return {"BACKEND": REDIS, "OPTIONS": options}
    if name == "postgres":
        return {"BACKEND": POSTGRES, "OPTIONS": {"channel": channel}}
    return {"BACKEND": MEMORY}
