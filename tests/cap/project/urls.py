from __future__ import annotations

from django.conf import settings
from django.urls import include, path

from tests.cap.project import views

urlpatterns = [
    path("sync/sign-in/", views.sign_in),
    path("async/sign-in/", views.sign_in_async),
    path("sync/whoami/", views.whoami),
    path("async/whoami/", views.whoami_async),
    path("public/", views.public),
]
if settings.PACKAGE == "session_limit":
    urlpatterns.append(path("account/sessions/", include("session_limit.urls")))
