from __future__ import annotations

from django.urls import include, path

from tests.history.project import views

urlpatterns = [
    path("sign-in/", views.sign_in),
    path("sign-out/", views.sign_out),
    path("password/", views.change_password),
    path("who/", views.who),
    path("stream/", views.stream),
    path("limit/", views.change_limit),
    path("revoke/", views.revoke),
    path("account/sessions/", include("session_limit.urls")),
]
