"""Map the addresses of a project that has removed the package."""

from django.contrib.auth.views import LoginView
from django.urls import path

from tests import views

urlpatterns = [
    path("", views.home),
    path("login/", LoginView.as_view()),
    path("whoami/", views.whoami),
    path("write/", views.write),
]
