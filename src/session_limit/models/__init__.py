"""
Define the database models for sessions, account limits, pending sign-ins and plays.

The tables are designed for tens of millions of rows. A comment beside each index names
the queries that need the index.
"""

from __future__ import annotations

from session_limit.models.accounts import AccountLimit
from session_limit.models.database_clock import DatabaseNow
from session_limit.models.deletion import cascade_unlisted
from session_limit.models.end_reasons import EndReason, PlayEndReason
from session_limit.models.ids import made_at, parse_uuid, uuid7
from session_limit.models.moments import UTCDateTimeField
from session_limit.models.pending import PendingSignIn
from session_limit.models.plays import Play, PlayQuerySet
from session_limit.models.sessions import (
    STORED_WITHIN,
    UserSession,
    UserSessionQuerySet,
    registry_alias,
    taking_place_in,
)

__all__ = [
    "STORED_WITHIN",
    "AccountLimit",
    "DatabaseNow",
    "EndReason",
    "PendingSignIn",
    "Play",
    "PlayEndReason",
    "PlayQuerySet",
    "UTCDateTimeField",
    "UserSession",
    "UserSessionQuerySet",
    "cascade_unlisted",
    "made_at",
    "parse_uuid",
    "registry_alias",
    "taking_place_in",
    "uuid7",
]
