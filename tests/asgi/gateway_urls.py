"""A project whose prefix ends as the gateway's address does."""

from django.urls import include, path

urlpatterns = [path("gateway/", include("session_limit.urls"))]
