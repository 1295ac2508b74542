from __future__ import annotations

from django.conf import settings
from django.urls import include, path

from tests.finality.project import views

urlpatterns = [
    path("people/", views.people),
    path("people/<username>/", views.person),
    path("sync/sign-in/", views.sign_in),
    path("async/sign-in/", views.sign_in_async),
    path("sync/whoami/", views.whoami),
    path("async/whoami/", views.whoami_async),
    path("sync/write/", views.write),
    path("async/write/", views.write_async),
    path("sync/change-password/", views.change_password),
    path("async/change-password/", views.change_password_async),
    path("sync/rotate/", views.rotate),
    path("async/rotate/", views.rotate_async),
    path("sync/sign-out/", views.sign_out),
    path("async/sign-out/", views.sign_out_async),
    *(path(prefix, include(urls)) for prefix, urls in settings.CONTENDER.urls),
]
