"""``path("account/sessions/", include("session_limit.urls"))``."""

from __future__ import annotations

from django.urls import path

from session_limit import views

app_name = "session_limit"

urlpatterns = [
    path("choose/", views.ChooseView.as_view(), name="choose"),
    path("", views.ListView.as_view(), name="list"),
    path("<uuid:id>/end/", views.EndView.as_view(), name="end"),
    path("end-others/", views.EndView.as_view(), name="end_others"),
    path("ended/", views.EndedView.as_view(), name="ended"),
    path("status/", views.StatusView.as_view(), name="status"),
    path("plays/", views.PlaysView.as_view(), name="plays"),
    path("plays/stop/", views.StopView.as_view(), name="stop_play"),
    path("plays/<uuid:id>/renew/", views.RenewView.as_view(), name="renew_play"),
    path("plays/<uuid:id>/stop/", views.StopView.as_view(), name="stop_play"),
    path("gateway/", views.GatewayView.as_view(), name="gateway"),
    path("events/", views.EventsView.as_view(), name="events"),
]
