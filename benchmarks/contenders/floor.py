"""
The least that knowing better can cost: one middleware more, and, where the session is
not in the registry's database, one raw indexed read when a session is loaded. It
guards nothing; a figure of ours below or near it cannot be improved by writing it
better.
"""

from __future__ import annotations

from benchmarks.contenders.base import DJANGO_SESSIONS, Contender, Settings, below


def configure(settings: Settings) -> None:
    kind = "Bare" if settings["SESSION_ENGINE"].endswith(".db") else "Reading"
    below(
        settings["MIDDLEWARE"],
        DJANGO_SESSIONS,
        f"benchmarks.project.floor.{kind}Middleware",
    )


CONTENDER = Contender(
    name="floor",
    requirement="",
    documentation="",
    environment="plain",
    note="one empty middleware, and one raw read outside `db`: it guards nothing",
    limits=False,
    configure=configure,
)
