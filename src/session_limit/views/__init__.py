"""The pages of people's own, each answering JSON too where that is asked for."""

from __future__ import annotations

from session_limit.views.choose import ChooseView
from session_limit.views.ended import EndedView
from session_limit.views.events import EventsView
from session_limit.views.gateway import GatewayView
from session_limit.views.plays import PlaysView, RenewView, StopView
from session_limit.views.sessions import EndView, ListView
from session_limit.views.status import StatusView

__all__ = [
    "ChooseView",
    "EndView",
    "EndedView",
    "EventsView",
    "GatewayView",
    "ListView",
    "PlaysView",
    "RenewView",
    "StatusView",
    "StopView",
]
