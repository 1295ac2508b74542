"""
Everything that is measured, each in a module of its own. Nothing here imports Django,
or what a contender installs, before it is used.
"""

from __future__ import annotations

import dataclasses

from benchmarks.contenders import (
    allauth_sessions,
    floor,
    plain,
    preventconcurrentlogins,
    qsessions,
    session_limit,
    sessionprofile,
    single_session,
    singlelogin,
    tutorial,
    user_sessions,
)
from benchmarks.contenders.base import Contender

ALL: dict[str, Contender] = {
    contender.name: contender
    for contender in (
        plain.CONTENDER,
        session_limit.ONE,
        session_limit.FIVE,
        tutorial.CONTENDER,
        preventconcurrentlogins.CONTENDER,
        single_session.CONTENDER,
        singlelogin.CONTENDER,
        user_sessions.CONTENDER,
        qsessions.DB,
        qsessions.CACHED_DB,
        allauth_sessions.CONTENDER,
        allauth_sessions.TRACKING,
        sessionprofile.CONTENDER,
    )
}

PLAIN = plain.CONTENDER
OURS = session_limit.ONE

# No packages, but yardsticks. Plain once more: how far from 1 its ratio to plain is, is
# what cannot be told apart.
CONTROL = dataclasses.replace(PLAIN, name="control")
FLOOR = floor.CONTENDER


def get(name: str) -> Contender:
    """Return the contender of this name."""
    return {**ALL, CONTROL.name: CONTROL, FLOOR.name: FLOOR}[name]
