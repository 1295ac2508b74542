"""``path("account/sessions/", include("session_limit.urls"))``."""

from __future__ import annotations

from django.urls import path

from session_limit import views

app_name = "session_limit"

urlpatterns = [path("ended/", views.EndedView.as_view(), name="ended")]
