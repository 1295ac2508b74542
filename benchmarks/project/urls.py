from __future__ import annotations

from django.conf import settings
from django.urls import include, path

from benchmarks.project import views

urlpatterns = [
    path("sync/member/", views.member),
    path("sync/visitor/", views.visitor),
    path("sync/public/", views.public),
    path("async/member/", views.member_async),
    path("async/visitor/", views.visitor_async),
    path("async/public/", views.public_async),
    path("sign-in/<username>/", views.sign_in),
    *(path(prefix, include(urls)) for prefix, urls in settings.CONTENDER.urls),
]
