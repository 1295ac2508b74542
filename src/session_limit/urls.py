"""
URL patterns of the package's pages, JSON views and event stream.

Include the patterns with ``path("account/sessions/", include("session_limit.urls"))``.
"""

from __future__ import annotations

from django.urls import path

from session_limit.views.choose import ChooseView
from session_limit.views.ended import EndedView
from session_limit.views.plays import PlaysView, RenewView, StopView
from session_limit.views.sessions import EndView, ListView
from session_limit.views.status import StatusView
from session_limit.views.unserved import EventsView, GatewayView

app_name = "session_limit"

urlpatterns = [
    path("choose/", ChooseView.as_view(), name="choose"),
    path("", ListView.as_view(), name="list"),
    path("<uuid:id>/end/", EndView.as_view(), name="end"),
    path("end-others/", EndView.as_view(), name="end_others"),
    path("ended/", EndedView.as_view(), name="ended"),
    path("status/", StatusView.as_view(), name="status"),
    path("plays/", PlaysView.as_view(), name="plays"),
    path("plays/stop/", StopView.as_view(), name="stop_play"),
    path("plays/<uuid:id>/renew/", RenewView.as_view(), name="renew_play"),
    path("plays/<uuid:id>/stop/", StopView.as_view(), name="stop_play"),
    path("gateway/", GatewayView.as_view(), name="gateway"),
    path("events/", EventsView.as_view(), name="events"),
]
