"""URL patterns of the example site."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.contrib.staticfiles.views import serve
from django.urls import include, path
from django.views.generic import RedirectView

from example import views

urlpatterns = [
    path("", views.home, name="home"),
    path("members/", views.members, name="members"),
    path("live/", views.live, name="live"),
    path("live/feed/", views.feed, name="feed"),
    path("live/gauge/", views.gauge, name="gauge"),
    path("log/", views.ShipsLog.as_view(), name="log"),
    path("api/me/", views.me, name="me"),
    path("sign-in/", LoginView.as_view(), name="sign-in"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("account/password/", views.Password.as_view(), name="password"),
    path("account/sessions/", include("session_limit.urls")),
    path("admin/", admin.site.urls),
    path("favicon.ico", RedirectView.as_view(url="/static/example/tidewater.svg")),
    # In production, a web server serves these files.
    path("static/<path:path>", serve, {"insecure": True}),
]
